/** What a role may do; the server decides, the page shows no more than that. */

const IN_CONTROL = new Set(['operator', 'admin']);

/** Whether a role may change what everybody sees. @param {string} role */
export function mayControl(role) {
  return IN_CONTROL.has(role);
}
