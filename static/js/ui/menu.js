/** Menus are popovers, which the browser opens, one at a time. */

const isKnown = 'popover' in HTMLElement.prototype;

/** Whether an element is in the open menu. A closed one keeps the focus until the next frame. @param {Element} element */
export function isInMenu(element) {
  return isKnown && element.closest('[popover]')?.matches(':popover-open') === true;
}

/** Close the open menu. @returns {boolean} whether there was one */
export function closeMenu() {
  const menu = isKnown ? document.querySelector('.menu:popover-open') : null;
  menu?.hidePopover();
  return menu !== null;
}
