const quote = 0x22;
const backslash = 0x5c;
const colon = 0x3a;
const comma = 0x2c;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;

/** Bytes that a short string is looked through by hand; above, a native search is worth its call. */
const shortString = 24;

/**
 * Where the members of a JSON object stand in its text. The text must have been parsed before: of invalid JSON this says nothing. `at` is
 * the index of the opening brace. `visit` gets the raw key without its quotes, escapes as they are, and the value, each as [from, to).
 * Returns the index after the closing brace.
 */
export function visitMembers(
  bytes: Buffer,
  at: number,
  visit: (keyFrom: number, keyTo: number, from: number, to: number) => void,
): number {
  let next = afterBlanks(bytes, at + 1);
  while (bytes[next] !== closeBrace && next < bytes.length) {
    const keyTo = afterString(bytes, next) - 1;
    const colonAt = afterBlanks(bytes, keyTo + 1);
    if (bytes[colonAt] !== colon) return bytes.length;
    const from = afterBlanks(bytes, colonAt + 1);
    const to = afterValue(bytes, from);
    visit(next + 1, keyTo, from, to);
    next = afterBlanks(bytes, to);
    if (bytes[next] === comma) next = afterBlanks(bytes, next + 1);
  }
  return next + 1;
}

/** The first index from `at` on that holds no blank. */
export function afterBlanks(bytes: Uint8Array, at: number): number {
  let next = at;
  for (let byte = bytes[next]; byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09; byte = bytes[next]) {
    next += 1;
  }
  return next;
}

function afterValue(bytes: Buffer, from: number): number {
  const first = bytes[from];
  if (first === quote) return afterString(bytes, from);
  if (first !== openBrace && first !== openBracket) return afterScalar(bytes, from);
  let depth = 0;
  let at = from;
  while (at < bytes.length) {
    const byte = bytes[at];
    if (byte === quote) {
      at = afterString(bytes, at);
      continue;
    }
    at += 1;
    if (byte === openBrace || byte === openBracket) depth += 1;
    else if (byte === closeBrace || byte === closeBracket) {
      depth -= 1;
      if (depth === 0) return at;
    }
  }
  return at;
}

/** `at` is the opening quote; the index after the closing one. */
function afterString(bytes: Buffer, at: number): number {
  const near = Math.min(at + shortString, bytes.length);
  for (let next = at + 1; next < near; next += 1) {
    const byte = bytes[next];
    if (byte === quote) return next + 1;
    if (byte === backslash) next += 1;
  }
  // Searched for from the start: what was looked through by hand may have ended within an escape.
  for (let end = bytes.indexOf(quote, at + 1); end !== -1; end = bytes.indexOf(quote, end + 1)) {
    let escapes = 0;
    while (bytes[end - 1 - escapes] === backslash) escapes += 1;
    if (escapes % 2 === 0) return end + 1;
  }
  return bytes.length;
}

function afterScalar(bytes: Buffer, from: number): number {
  let at = from;
  while (at < bytes.length) {
    const byte = bytes[at];
    if (byte === comma || byte === closeBrace || byte === closeBracket || afterBlanks(bytes, at) !== at) break;
    at += 1;
  }
  return at;
}
