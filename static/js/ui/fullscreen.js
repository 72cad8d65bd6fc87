/**
 * Show an element on the whole screen, or go back.
 *
 * Phones that give full screen only to <video> get the element over the whole page instead.
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
  // Whatever fits itself into the element has another size to fit into.
  window.dispatchEvent(new Event('resize'));
}

/** Leave the full page; true if it was shown. @param {HTMLElement | undefined} element */
export function leaveFullPage(element) {
  const shown = element?.hasAttribute('data-full-page') ?? false;
  element?.removeAttribute('data-full-page');
  element?.querySelector('.leave-full-page')?.remove();
  return shown;
}

// The controls are under the page that is full, and a phone has no Esc key.
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
