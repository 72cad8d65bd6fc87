/** Menus are popovers; the browser opens them, and allows one at a time. */

/** Close the open menu. @returns {boolean} whether there was one */
export function closeMenu() {
  const menu = 'popover' in HTMLElement.prototype ? document.querySelector('.menu:popover-open') : null;
  menu?.hidePopover();
  return menu !== null;
}
