/** Text from outside for a terminal: what would move the cursor, colour, hide or reorder is shown as `\u{…}`. Line breaks too. */
export function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
}
