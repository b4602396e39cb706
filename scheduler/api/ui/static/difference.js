// What differs between two definitions, line by line.

import { h } from './dom.js';

const around = 3; // lines that are the same and are shown before and after those that are not

// difference shows two JSON documents as one list of lines. Long runs of lines that both have are left out.
export function difference(before, after) {
  const lines = compare(...[before, after].map((d) => JSON.stringify(d, null, 2).split('\n')));
  if (lines.every(([kind]) => kind === ' ')) return h('p', { class: 'quiet' }, 'No difference.');
  const near = lines.map((_, n) => lines.slice(Math.max(0, n - around), n + around + 1).some(([kind]) => kind !== ' '));
  const out = [];
  for (let n = 0; n < lines.length; n++) {
    const [kind, text] = lines[n];
    if (near[n]) out.push(h('span', { class: kinds[kind] }, `${kind} ${text}\n`));
    else if (n === 0 || near[n - 1]) out.push(h('span', { class: 'skipped' }, '  …\n'));
  }
  return h('pre', { class: 'difference', tabindex: 0, 'aria-label': 'Difference: lines with - were removed, lines with + were added' }, out);
}

const kinds = { '+': 'added', '-': 'removed' };

// compare gives the lines of two texts as [kind, line]: ' ' in both, '-' in the first only, '+' in the second only.
function compare(a, b) {
  // common[i][j] is the length of the longest common subsequence of a from i on and b from j on.
  const common = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      common[i][j] = a[i] === b[j] ? common[i + 1][j + 1] + 1 : Math.max(common[i + 1][j], common[i][j + 1]);
    }
  }
  const lines = [];
  for (let i = 0, j = 0; i < a.length || j < b.length;) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      lines.push([' ', a[i++]]);
      j++;
    } else if (j === b.length || i < a.length && common[i + 1][j] >= common[i][j + 1]) {
      lines.push(['-', a[i++]]);
    } else {
      lines.push(['+', b[j++]]);
    }
  }
  return lines;
}
