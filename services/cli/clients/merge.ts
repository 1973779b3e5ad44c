import { isDeepStrictEqual } from 'node:util';
import {
  applyEdits,
  type FormattingOptions,
  findNodeAtLocation,
  getNodeValue,
  type JSONPath,
  modify,
  type Node,
  type ParseError,
  parseTree,
  printParseErrorCode,
} from 'jsonc-parser';
import { locateIn, showName } from '../../../shared/config/problems.ts';
import { exitCode, OperatorError } from '../../../shared/errors.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../../../shared/mcp/json.ts';
import type { ListItem, Setting } from './client.ts';

/**
 * The text of a JSON or JSONC file with an entry set in it. Comments, unknown members and the layout of everything else stay; of an entry
 * that is there already too. The same text comes back when nothing is to be done. Throws OperatorError naming `file:line:col` for a file that
 * is broken or is not built as the client's files are.
 */
export function mergeEntry(file: string, text: string, setting: Setting, item: ListItem | undefined): string {
  const source = text.trim() === '' ? '{}\n' : text;
  checkPlaces(file, source, setting.path);
  let result = source;
  const known = valueAt(result, setting.path);
  if (!isJsonObject(known)) result = set(result, setting.path, setting.value);
  else {
    for (const [member, value] of Object.entries(setting.value)) {
      const there = known[member];
      const merged = isJsonObject(there) && isJsonObject(value) ? { ...there, ...value } : value;
      if (!isDeepStrictEqual(there, merged)) result = set(result, [...setting.path, member], merged);
    }
    for (const member of setting.owned) {
      if (member in known && !(member in setting.value)) result = set(result, [...setting.path, member], undefined);
    }
  }
  if (item !== undefined) result = mergeItem(file, result, item);
  return result === source && text !== source ? source : result;
}

function mergeItem(file: string, text: string, { path, id, value }: ListItem): string {
  checkPlaces(file, text, path);
  const list = valueAt(text, path);
  if (list === undefined) return set(text, path, [value]);
  if (!Array.isArray(list)) throw broken(file, text, nodeAt(text, path)?.offset ?? 0, 'this should be a list');
  const at = list.findIndex((one) => isJsonObject(one) && one['id'] === id);
  if (at < 0)
    return applyEdits(text, modify(text, [...path, list.length], value, { ...options(text), isArrayInsertion: true }));
  const known = list[at];
  const wanted: JsonObject = { ...(isJsonObject(known) ? known : {}), ...value };
  return isDeepStrictEqual(known, wanted) ? text : set(text, [...path, at], wanted);
}

/** Refuses a file that cannot be changed without guessing: broken, not made of objects on the way, or with a key that stands twice. */
function checkPlaces(file: string, text: string, path: readonly (string | number)[]): void {
  const errors: ParseError[] = [];
  const root = parseTree(text, errors, { allowTrailingComma: true });
  const [first] = errors;
  if (first !== undefined) throw broken(file, text, first.offset, describe(printParseErrorCode(first.error)));
  let node: Node | undefined = root;
  for (const key of path) {
    if (node === undefined) return;
    if (node.type !== 'object') throw broken(file, text, node.offset, 'this should be an object');
    const same: Node[] = (node.children ?? []).filter(({ children }) => children?.[0]?.value === key);
    if (same.length > 1)
      throw broken(file, text, same[1]?.offset ?? 0, `the key ${showName(String(key))} stands twice`);
    node = same[0]?.children?.[1];
  }
}

function describe(code: string): string {
  return `this is not valid JSON (${code.replace(/([a-z])([A-Z])/g, '$1 $2').toLowerCase()})`;
}

function broken(file: string, text: string, offset: number, why: string): OperatorError {
  const { line, col } = locateIn(text)(offset);
  return new OperatorError(exitCode.usage, `${file}:${line}:${col}: ${why}`, {
    hint: 'nothing was changed; mend the file, or print the entry without --write',
  });
}

function nodeAt(text: string, path: readonly (string | number)[]): Node | undefined {
  const root = parseTree(text, [], { allowTrailingComma: true });
  return root && findNodeAtLocation(root, [...path]);
}

function valueAt(text: string, path: readonly (string | number)[]): JsonValue | undefined {
  const node = nodeAt(text, path);
  return node && getNodeValue(node);
}

function set(text: string, path: JSONPath | readonly (string | number)[], value: JsonValue | undefined): string {
  return applyEdits(text, modify(text, [...path], value, options(text)));
}

/** New lines look like those that are there. */
function options(text: string): { formattingOptions: FormattingOptions } {
  const indent = /^([ \t]+)\S/m.exec(text)?.[1] ?? '  ';
  const insertSpaces = !indent.startsWith('\t');
  return {
    formattingOptions: {
      insertSpaces,
      tabSize: insertSpaces ? Math.min(indent.length, 8) : 4,
      eol: text.includes('\r\n') ? '\r\n' : '\n',
    },
  };
}
