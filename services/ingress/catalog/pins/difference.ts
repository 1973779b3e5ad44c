import { isJsonObject, type JsonObject, type JsonValue } from '../../../../shared/mcp/json.ts';
import { cleanText } from '../clean-text.ts';

/** One place where two definitions differ. */
export interface Difference {
  /** JSON pointer. */
  readonly at: string;
  /** Cleaned JSON text, cut; absent where the member was not there. */
  readonly old?: string;
  readonly new?: string;
}

const maxDifferences = 100;
const maxShown = 2_000;

/** Where a definition differs from the pinned one, in the order of the older. At most 100 places. */
export function differencesOf(before: JsonObject, after: JsonObject): Difference[] {
  const found: Difference[] = [];
  compare(before, after, '', found);
  return found;
}

function compare(before: JsonValue | undefined, after: JsonValue | undefined, at: string, found: Difference[]): void {
  if (found.length >= maxDifferences) return;
  if (isJsonObject(before) && isJsonObject(after)) {
    for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
      const own = (value: JsonObject) => (Object.hasOwn(value, name) ? value[name] : undefined);
      compare(own(before), own(after), `${at}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`, found);
    }
    return;
  }
  const old = shown(before);
  const now = shown(after);
  if (old === now && JSON.stringify(before) === JSON.stringify(after)) return;
  found.push({ at: cleanText(at), ...(old === undefined ? {} : { old }), ...(now === undefined ? {} : { new: now }) });
}

/** What cannot be seen is part of the difference, so it is shown as escapes. */
function shown(value: JsonValue | undefined): string | undefined {
  if (value === undefined) return undefined;
  const text = JSON.stringify(value).replace(/[^\n -~]/gu, (letter) =>
    cleanText(letter) === letter ? letter : `\\u{${letter.codePointAt(0)?.toString(16)}}`,
  );
  return text.length > maxShown ? `${text.slice(0, maxShown)}…` : text;
}
