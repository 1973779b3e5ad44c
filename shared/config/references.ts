/**
 * References in the text values of a configuration:
 *
 *     ${VAR}  ${VAR:-default}  ${env:VAR}  ${env:VAR:-default}   a variable of the environment
 *     ${file:/run/secrets/x}                                     the content of a file, without its last line break
 *     ${input:id}                                                VS Code's inputs: the variable TOOLBUS_INPUT_ID
 *     ${package:@scope/name}                                     the program of an installed npm package
 *     ${dir:name}                                                a directory under the data directory, made when servers start
 *     ${toolbus:node}                                            the Node.js that runs toolbus
 *     $${                                                        a literal ${
 *
 * `$VAR` is left alone, and what a reference yields is not looked at again.
 */
export type Reference =
  | { readonly kind: 'env'; readonly name: string; readonly fallback?: string }
  | { readonly kind: 'file' | 'package' | 'dir'; readonly name: string }
  | { readonly kind: 'node' }
  /** Predefined by VS Code and Cursor, and read in their files only. */
  | { readonly kind: 'workspaceFolder' | 'userHome' };

/** A part of a text: literal, a reference, or `${` that begins none. */
export type Segment = string | Reference | { readonly kind: 'malformed'; readonly source: string };

const variable = /^(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s;

/** Takes a text value apart. `clientFile`: the text is from a file of VS Code or Cursor. Never throws. */
export function parseReferences(text: string, clientFile: boolean): readonly Segment[] {
  const segments: Segment[] = [];
  let from = 0;
  for (let match = nextOpening(text, 0); match !== undefined; match = nextOpening(text, from)) {
    if (match.at > from) segments.push(text.slice(from, match.at));
    if (match.escaped) {
      segments.push('${');
      from = match.at + 3;
      continue;
    }
    const end = text.indexOf('}', match.at);
    const source = end < 0 ? text.slice(match.at) : text.slice(match.at, end + 1);
    const reference = end < 0 ? undefined : parseReference(text.slice(match.at + 2, end), clientFile);
    segments.push(reference ?? { kind: 'malformed', source });
    from = match.at + source.length;
  }
  if (from < text.length) segments.push(text.slice(from));
  return segments;
}

function nextOpening(text: string, from: number): { at: number; escaped: boolean } | undefined {
  const at = text.indexOf('${', from);
  if (at < 0) return undefined;
  return at > from && text[at - 1] === '$' ? { at: at - 1, escaped: true } : { at, escaped: false };
}

function parseReference(inner: string, clientFile: boolean): Reference | undefined {
  if (clientFile && (inner === 'workspaceFolder' || inner === 'userHome')) return { kind: inner };
  // `${A:-${B}}` would end at the first brace and mean something else than it says.
  if (inner.includes('${')) return undefined;
  if (inner === 'toolbus:node') return { kind: 'node' };
  const scheme = /^(file|package|dir|input):(.+)$/s.exec(inner);
  if (scheme?.[1] !== undefined && scheme[2] !== undefined) {
    const name = scheme[2];
    switch (scheme[1]) {
      case 'file':
        return { kind: 'file', name };
      case 'package':
        return { kind: 'package', name };
      case 'dir':
        return { kind: 'dir', name };
      default:
        return { kind: 'env', name: `TOOLBUS_INPUT_${name.toUpperCase().replace(/[^A-Z0-9]/g, '_')}` };
    }
  }
  const match = variable.exec(inner);
  if (match?.[1] === undefined) return undefined;
  return { kind: 'env', name: match[1], ...(match[2] !== undefined && { fallback: match[2] }) };
}

/** The forms above in a few words, for errors and the JSON Schema. */
export const referenceForms =
  '${VAR}, ${VAR:-default}, ${env:VAR}, ${file:PATH}, ${package:NAME}, ${dir:NAME}, ${toolbus:node}; $${ is a literal ${';
