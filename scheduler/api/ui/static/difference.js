// What differs between two definitions, line by line.

import { h } from './dom.js';

// difference shows two JSON documents as one list of lines, those that are in one of them only marked.
export function difference(before, after) {
  const [a, b] = [before, after].map((d) => JSON.stringify(d, null, 2).split('\n'));
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
      lines.push(`  ${a[i]}\n`);
      i++;
      j++;
    } else if (j === b.length || i < a.length && common[i + 1][j] >= common[i][j + 1]) {
      lines.push(h('span', { class: 'removed' }, `- ${a[i++]}\n`));
    } else {
      lines.push(h('span', { class: 'added' }, `+ ${b[j++]}\n`));
    }
  }
  return h('pre', {}, lines);
}
