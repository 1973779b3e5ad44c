/**
 * Matches text against a pattern in which `*` stands for any characters, none included. `parts` is the pattern, split at its stars. Linear in the text: nothing
 * here makes a regular expression out of a pattern.
 */
export function matchesGlob(parts: readonly string[], text: string): boolean {
  const [head = '', ...rest] = parts;
  if (rest.length === 0) return text === head;
  const tail = rest[rest.length - 1] ?? '';
  if (text.length < head.length + tail.length || !text.startsWith(head) || !text.endsWith(tail)) return false;
  const end = text.length - tail.length;
  let at = head.length;
  for (const part of rest.slice(0, -1)) {
    const found = text.indexOf(part, at);
    if (found === -1 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}
