/** The patrol in the top bar: shows what comes next and when, and has buttons to pause and stop. */
import { setText } from '../ui/dom.js';

/**
 * @param {HTMLElement} element
 * @param {import('./patrol.js').Patrol} patrol
 */
export function setUpPatrolBar(element, patrol) {
  const find = (name) => element.querySelector(`[data-patrol-${name}]`);
  const [pause, next, stop, word, what, time] = ['pause', 'next', 'stop', 'word', 'what', 'time'].map(find);
  pause.addEventListener('click', () => patrol.togglePause());
  next.addEventListener('click', () => patrol.step());
  stop.addEventListener('click', () => patrol.stop());
  patrol.addEventListener('change', () => {
    const inside = element.contains(document.activeElement);
    element.hidden = !patrol.running;
    if (element.hidden) {
      if (inside) document.querySelector('[data-switcher]').focus();
      return;
    }
    const { next: coming, paused, held } = patrol;
    element.toggleAttribute('data-paused', paused);
    pause.setAttribute('aria-label', paused ? 'Resume the patrol' : 'Pause the patrol');
    pause.setAttribute('aria-pressed', String(paused));
    setText(word, coming === '' ? 'Nothing else to show' : 'Next');
    setText(what, coming);
    setText(time, coming === '' ? '' : paused ? 'paused' : held ? 'waits' : `${patrol.leftS} s`);
    next.disabled = coming === '';
    element.style.setProperty('--left', (paused || held ? 1 : patrol.left).toFixed(3));
  });
}
