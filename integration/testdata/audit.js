// What every page has to keep, of WCAG 2.2 AA and of its own rules: evaluated in the page, gives a list of what is wrong.
(() => {
  const wrong = [];
  const shown = (e) => e.checkVisibility({ visibilityProperty: true, opacityProperty: true }) && e.getBoundingClientRect().width > 1;
  const called = (e) => `${e.tagName.toLowerCase()}${e.id ? `#${e.id}` : ''}${typeof e.className === 'string' && e.className ? `.${e.className.replaceAll(' ', '.')}` : ''} ${JSON.stringify(e.innerText?.slice(0, 40) ?? '')}`;
  const all = (selector) => [...document.querySelectorAll(selector)].filter(shown);

  // 1.4.3: contrast of text with what is behind it.
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const colours = new Map();
  const colour = (text) => {
    if (!colours.has(text)) colours.set(text, draw(text));
    return colours.get(text);
  };
  const draw = (text) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = text;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
  const behind = (e) => {
    const own = colour(getComputedStyle(e).backgroundColor);
    if (own[3] === 1) return own;
    return over(own, e.parentElement ? behind(e.parentElement) : colour('canvas'));
  };
  const luminance = (c) => c.slice(0, 3).map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, n) => sum + v * [0.2126, 0.7152, 0.0722][n], 0);
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const checked = new Set();
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    if (walker.currentNode.data.trim() === '' || checked.has(e) || !shown(e) || e.closest(':disabled, noscript, script, .unseen, .skip')) continue;
    checked.add(e);
    const style = getComputedStyle(e);
    const ground = behind(e);
    const [a, b] = [luminance(over(colour(style.color), ground)), luminance(ground)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const large = parseFloat(style.fontSize) >= 24 || parseFloat(style.fontSize) >= 18.66 && Number(style.fontWeight) >= 700;
    if (ratio < (large ? 3 : 4.5)) wrong.push(`contrast ${ratio.toFixed(2)} of ${called(e)}`);
  }

  // 1.4.10: nothing is wider than the screen.
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width) {
    const widest = all('body *').filter((e) => e.getBoundingClientRect().right > width + 1 && !e.closest('.frame, pre, #pages, .tabs, .skip'));
    wrong.push(`the page is ${document.documentElement.scrollWidth} wide on ${width}: ${widest.slice(0, 3).map(called).join('; ')}`);
  }

  // 1.3.1, 2.4.6: one main heading, none skipped; landmarks; ids that are unique.
  const headings = all('h1, h2, h3, h4').map((e) => Number(e.tagName[1]));
  if (headings.filter((level) => level === 1).length !== 1) wrong.push(`${headings.filter((level) => level === 1).length} main headings`);
  headings.forEach((level, n) => n > 0 && level > headings[n - 1] + 1 && wrong.push(`a heading of level ${level} follows one of ${headings[n - 1]}`));
  for (const landmark of ['header', 'nav', 'main']) if (!document.querySelector(landmark)) wrong.push(`no ${landmark}`);
  const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);
  for (const id of new Set(ids.filter((id, n) => ids.indexOf(id) !== n))) wrong.push(`the id ${id} is there more than once`);
  for (const name of ['aria-labelledby', 'aria-describedby']) {
    for (const e of all(`[${name}]`)) {
      for (const id of e.getAttribute(name).split(' ')) if (!document.getElementById(id)) wrong.push(`${called(e)} refers to ${id}, which is not there`);
    }
  }

  // 4.1.2: everything that can be used has a name, that of buttons is unique in a table.
  for (const e of all('input, select, textarea')) {
    if (!e.labels?.length && !e.getAttribute('aria-label')) wrong.push(`${called(e)} has no label`);
  }
  for (const e of all('button, a[href]')) {
    if (!e.innerText.trim() && !e.getAttribute('aria-label')) wrong.push(`${called(e)} has no name`);
    // 2.5.8: large enough for a finger, but for links in text.
    const box = e.getBoundingClientRect();
    if (e.tagName === 'BUTTON' && (box.height < 24 || box.width < 24)) wrong.push(`${called(e)} is ${box.width} by ${box.height}`);
  }
  for (const e of document.querySelectorAll('tbody button')) {
    if (!e.getAttribute('aria-label') && !e.hasAttribute('aria-expanded')) wrong.push(`${called(e)} does not say of which row it is`);
  }
  // 2.4.3, 3.3.1: the focus goes the way of reading; what is wrong with a field is said at it.
  for (const e of document.querySelectorAll('[tabindex]')) if (e.tabIndex > 0) wrong.push(`${called(e)} takes the focus out of turn`);
  for (const e of all('[aria-invalid=true]')) {
    const said = (e.getAttribute('aria-describedby') ?? '').split(' ').map((id) => document.getElementById(id)).filter((p) => p?.matches('.problem') && p.innerText.trim());
    if (said.length === 0) wrong.push(`${called(e)} is wrong, and nothing says why`);
  }
  for (const e of document.querySelectorAll('img')) if (!e.hasAttribute('alt')) wrong.push(`${called(e)} has no alt`);
  for (const e of all('table')) if (!e.getAttribute('aria-label')) wrong.push(`${called(e)} has no name`);
  if (!document.documentElement.lang || !document.title) wrong.push('no language or no title');
  return wrong;
})()
