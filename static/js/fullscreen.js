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
  } else {
    element.toggleAttribute('data-full-page');
  }
}

/** Leave the full page; true if it was shown. @param {HTMLElement | undefined} element */
export function leaveFullPage(element) {
  const shown = element?.hasAttribute('data-full-page') ?? false;
  element?.removeAttribute('data-full-page');
  return shown;
}
