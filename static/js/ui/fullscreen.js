/**
 * Show an element in full screen, or leave it.
 *
 * On phones that allow full screen only for <video>, the element covers the whole page instead.
 *
 * @param {HTMLElement} element
 */
export async function toggleFullscreen(element) {
  if (document.fullscreenElement) {
    await document.exitFullscreen();
  } else if (document.fullscreenEnabled) {
    await element.requestFullscreen({ navigationUI: 'hide' });
  } else if (element !== document.documentElement && !leaveFullPage(element)) {
    element.toggleAttribute('data-full-page', true);
    element.append(leaveButton(element));
  }
  // Whatever is fitted into the element has a new size to fit.
  window.dispatchEvent(new Event('resize'));
}

/** Stop covering the page; returns whether the element did. @param {HTMLElement | undefined} element */
export function leaveFullPage(element) {
  const shown = element?.hasAttribute('data-full-page') ?? false;
  element?.removeAttribute('data-full-page');
  element?.querySelector('.leave-full-page')?.remove();
  return shown;
}

// The element covers the controls, and a phone has no Esc key.
function leaveButton(element) {
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'leave-full-page';
  button.textContent = 'Done';
  button.addEventListener('click', (event) => {
    event.stopPropagation();
    leaveFullPage(element);
    window.dispatchEvent(new Event('resize'));
  });
  return button;
}
