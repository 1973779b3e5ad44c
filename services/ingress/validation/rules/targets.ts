import { isJsonObject, type JsonObject, type JsonValue } from '../../../../shared/mcp/json.ts';

/** A value that is no list and no object, and where it stands. */
export interface Leaf {
  /** JSON pointer. */
  readonly at: string;
  readonly value: string | number | boolean;
}

/** What a rule's `argument` means in these arguments: every leaf inside it. An argument that is not there has none. */
export function leavesOf(args: JsonObject, argument: string): Leaf[] {
  const leaves: Leaf[] = [];
  if (argument === '*') collect(args, '', leaves);
  else if (argument.startsWith('/')) follow(args, steps(argument), '', leaves);
  else if (Object.hasOwn(args, argument)) collect(args[argument], `/${pointerStep(argument)}`, leaves);
  return leaves;
}

/** One step of a JSON pointer (RFC 6901). */
export function pointerStep(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}

function steps(pointer: string): string[] {
  return pointer
    .slice(1)
    .split('/')
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function follow(value: JsonValue | undefined, [step, ...rest]: readonly string[], at: string, leaves: Leaf[]): void {
  if (step === undefined) {
    collect(value, at, leaves);
    return;
  }
  for (const [name, inner] of membersOf(value)) {
    if (step === '*' || step === name) follow(inner, rest, `${at}/${pointerStep(name)}`, leaves);
  }
}

function collect(value: JsonValue | undefined, at: string, leaves: Leaf[]): void {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') leaves.push({ at, value });
  else for (const [name, inner] of membersOf(value)) collect(inner, `${at}/${pointerStep(name)}`, leaves);
}

function membersOf(value: JsonValue | undefined): [string, JsonValue | undefined][] {
  return Array.isArray(value) || isJsonObject(value) ? Object.entries(value) : [];
}
