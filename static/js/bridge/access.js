/** What each role may do. The server decides; the page only hides the rest. */

const IN_CONTROL = new Set(['operator', 'admin']);

/** Whether a role may control cameras. @param {string} role */
export function mayControl(role) {
  return IN_CONTROL.has(role);
}
