import { isJsonObject, type JsonValue } from '../../../shared/mcp/json.ts';
import { pointerStep } from './rules/targets.ts';

/** The size of a value, and what in it JSON readers do not agree on. */
export interface Measure {
  /** Values inside it, itself included. */
  values: number;
  /** Characters of its texts and names. */
  characters: number;
  /** JSON pointers of integers beyond 2^53, of which readers keep different digits. At most 20. */
  readonly unsafe: string[];
}

const maxUnsafe = 20;
/** From here on a number is written with an exponent again, so that it stays what it was. */
const exponentFrom = 1e21;

/** Measures arguments. Recursion ends where the guard of request bodies does. */
export function measure(root: JsonValue): Measure {
  const found: Measure = { values: 0, characters: 0, unsafe: [] };
  visit(root, undefined, found);
  return found;
}

/** The way to a value, read only when something is wrong there. */
interface Place {
  readonly name: string | number;
  readonly above: Place | undefined;
}

function visit(value: JsonValue | undefined, place: Place | undefined, found: Measure): void {
  found.values += 1;
  if (typeof value === 'string') found.characters += value.length;
  else if (typeof value === 'number') {
    if (isUnsafe(value) && found.unsafe.length < maxUnsafe) found.unsafe.push(pointerTo(place));
  } else if (Array.isArray(value)) {
    for (let at = 0; at < value.length; at += 1) visitInner(value[at], at, place, found);
  } else if (isJsonObject(value)) {
    for (const name of Object.keys(value)) {
      found.characters += name.length;
      visitInner(value[name], name, place, found);
    }
  }
}

function visitInner(
  value: JsonValue | undefined,
  name: string | number,
  above: Place | undefined,
  found: Measure,
): void {
  if (typeof value === 'string') {
    found.values += 1;
    found.characters += value.length;
  } else if (typeof value !== 'number' || isUnsafe(value)) visit(value, { name, above }, found);
  else found.values += 1;
}

function isUnsafe(value: number): boolean {
  return Number.isInteger(value) && !Number.isSafeInteger(value) && Math.abs(value) < exponentFrom;
}

function pointerTo(place: Place | undefined): string {
  const steps: string[] = [];
  for (let at = place; at !== undefined; at = at.above) steps.unshift(`/${pointerStep(String(at.name))}`);
  return steps.join('');
}
