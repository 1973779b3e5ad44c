/** A URI template (RFC 6570) as far as telling whose URI this is: which URIs could it have made? */
export interface UriTemplate {
  /** Characters that are not variable: the more, the more specific. */
  readonly weight: number;
  matches(uri: string): boolean;
}

type Part = { readonly literal: string } | { readonly crossesSlash: boolean; readonly min: number };

const maxExpressions = 32;
const maxUriLength = 8_192;

/**
 * Compiles a template; undefined for one that is malformed or has more than 32 expressions. `{x}` takes one or more characters
 * without a slash; expressions with an operator, several names or an explode modifier take anything.
 * A match costs at most expressions × characters, whatever the text.
 */
export function compileTemplate(template: string): UriTemplate | undefined {
  const parts = parse(template);
  if (!parts) return undefined;
  const weight = parts.reduce((sum, part) => sum + ('literal' in part ? part.literal.length : 0), 0);
  return { weight, matches: (uri) => uri.length <= maxUriLength && run(parts, uri) };
}

function parse(template: string): Part[] | undefined {
  const parts: Part[] = [];
  let at = 0;
  while (at < template.length) {
    const open = template.indexOf('{', at);
    const literal = template.slice(at, open === -1 ? undefined : open);
    if (literal.includes('}')) return undefined;
    if (literal !== '') parts.push({ literal });
    if (open === -1) break;
    const close = template.indexOf('}', open);
    const expression = template.slice(open + 1, close);
    if (close === -1 || expression === '' || expression.includes('{')) return undefined;
    const simple = /^[A-Za-z0-9_.%-]+$/.test(expression);
    parts.push({ crossesSlash: !simple, min: simple ? 1 : 0 });
    at = close + 1;
  }
  return parts.filter((part) => !('literal' in part)).length <= maxExpressions ? parts : undefined;
}

/** Follows all readings at once: `reached[i]` says that the parts so far can end before character `i`. */
function run(parts: readonly Part[], uri: string): boolean {
  let reached = new Uint8Array(uri.length + 1);
  reached[0] = 1;
  for (const part of parts) {
    const next = new Uint8Array(uri.length + 1);
    if ('literal' in part) follow(part.literal, uri, reached, next);
    else expand(part, uri, reached, next);
    reached = next;
  }
  return reached[uri.length] === 1;
}

function follow(literal: string, uri: string, reached: Uint8Array, next: Uint8Array): void {
  for (let at = reached.indexOf(1); at !== -1; at = reached.indexOf(1, at + 1)) {
    if (uri.startsWith(literal, at)) next[at + literal.length] = 1;
  }
}

function expand(
  part: { crossesSlash: boolean; min: number },
  uri: string,
  reached: Uint8Array,
  next: Uint8Array,
): void {
  let open = false;
  for (let at = 0; at <= uri.length; at += 1) {
    if (open) next[at] = 1;
    if (reached[at] === 1) {
      open = true;
      if (part.min === 0) next[at] = 1;
    }
    if (!part.crossesSlash && uri[at] === '/') open = false;
  }
}
