"""Measure how long animations in the page last."""

__all__ = ["MAX_MOTION"]

# The longest animation or transition of any element, in ms, and its element.
MAX_MOTION = """() => {
  const ms = (text) => Math.max(...text.split(',').map((one) => (
    parseFloat(one) * (one.trim().endsWith('ms') ? 1 : 1000)
  )));
  let longest = [0, ''];
  const take = (value, name) => { if (value > longest[0]) longest = [value, name]; };
  for (const element of document.querySelectorAll('*')) {
    for (const pseudo of [null, '::before', '::after', '::backdrop']) {
      const style = getComputedStyle(element, pseudo);
      const name = `${element.tagName}.${element.getAttribute('class')}${pseudo ?? ''}`;
      const times = style.animationIterationCount === 'infinite' ? Infinity : 1;
      if (style.animationName !== 'none') take(ms(style.animationDuration) * times, name);
      take(ms(style.transitionDuration), name);
      if (style.scrollBehavior === 'smooth') take(Infinity, `${name} scrolls smoothly`);
    }
  }
  for (const animation of document.getAnimations()) {
    const { duration, iterations } = animation.effect.getComputedTiming();
    take(duration * iterations, animation.effect.target?.className);
  }
  return longest;
}"""
