/** Full screen, and a mark on the page while nobody uses it. */

const STILL_MS = 3000;

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
  // Content fitted into the element must follow its new size.
  window.dispatchEvent(new Event('resize'));
}

/** Leave either kind of full screen. @param {HTMLElement} element */
export async function leaveFullscreen(element) {
  if (leaveFullPage(element)) window.dispatchEvent(new Event('resize'));
  if (document.fullscreenElement) await document.exitFullscreen();
}

/** Mark the page while there is no input. */
export function markStillness() {
  const { documentElement: root } = document;
  let timer = 0;
  const show = () => {
    clearTimeout(timer);
    root.removeAttribute('data-still');
    timer = setTimeout(() => root.toggleAttribute('data-still', true), STILL_MS);
  };
  for (const event of ['pointermove', 'pointerdown', 'keydown']) window.addEventListener(event, show, { passive: true, capture: true });
  show();
}

/** Stop covering the page; returns whether the element did so. @param {HTMLElement | undefined} element */
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
