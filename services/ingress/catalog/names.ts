import { createHash } from 'node:crypto';

/** Stands between server and tool; a configured server name never holds it. */
export const separator = '__';

/** Model APIs refuse a longer name, and one refused name breaks the agent's whole session. */
const maxLength = 64;
const hashLength = 6;

/** `<server>__<name>` with the name as the server spells it. */
export function fullName(server: string, name: string): string {
  return `${server}${separator}${name}`;
}

/** The full name as an agent sees it unless another one has it already: 1 to 64 of `A-Z a-z 0-9 _ -`. */
export function naturalName(server: string, name: string): string {
  const full = fullName(server, name);
  const legal = /[^A-Za-z0-9_-]/.test(full) ? full.replace(/[^A-Za-z0-9_-]/gu, '_') : full;
  return legal.length <= maxLength ? legal : withHash(server, name, legal, 0);
}

/**
 * The names agents see at an aggregate endpoint, in the order of `things`. Injective, and dependent on nothing but the things
 * and their order. A full name that is legal as it stands goes first, so that a neighbour whose name must be changed anyway
 * never takes it away; of two that would end up equal the later one gets a hash.
 */
export function assignNames(things: readonly { readonly server: string; readonly name: string }[]): string[] {
  const taken = new Set<string>();
  const names: (string | undefined)[] = things.map(({ server, name }) => {
    const full = fullName(server, name);
    if (!/^[A-Za-z0-9_-]{1,64}$/.test(full) || taken.has(full)) return undefined;
    taken.add(full);
    return full;
  });
  return names.map((unchanged, at) => {
    const thing = things[at];
    if (unchanged !== undefined || thing === undefined) return unchanged ?? '';
    const { server, name } = thing;
    const natural = naturalName(server, name);
    let candidate = natural;
    for (let attempt = 0; taken.has(candidate); attempt += 1) candidate = withHash(server, name, natural, attempt);
    taken.add(candidate);
    return candidate;
  });
}

/** Server, separator, tail of the name (the telling part), `_` and six hex digits of the true name. */
function withHash(server: string, name: string, legal: string, attempt: number): string {
  const salt = attempt === 0 ? '' : `\0${attempt}`;
  // "a_" + "b" and "a" + "_b" have one full name but are two tools.
  const hash = createHash('sha256').update(`${server}\0${name}${salt}`).digest('hex').slice(0, hashLength);
  const head = server + separator;
  const tail = legal.slice(head.length);
  return `${head}${tail.slice(-(maxLength - head.length - hashLength - 1))}_${hash}`;
}
