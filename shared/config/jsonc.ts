/**
 * Turns JSONC into what a YAML 1.2 parser reads as the same data, every character at its old offset: comments become spaces,
 * and so do tabs, which YAML does not take as indentation. Trailing commas need nothing: YAML allows them.
 */
export function jsoncToYaml(text: string): string {
  return text.replace(/"(?:[^"\\\n]|\\.)*"|\/\/[^\n\r]*|\/\*[\s\S]*?\*\/|\t/g, (match) =>
    match.startsWith('"') ? match : match.replace(/[^\n\r]/g, ' '),
  );
}
