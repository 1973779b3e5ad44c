import type { JsonObject } from '../../../shared/mcp/json.ts';
import type { Surroundings } from './places.ts';

export const clientNames = ['claude-desktop', 'claude-code', 'cursor', 'vscode'] as const;
export type ClientName = (typeof clientNames)[number];

/** Whose file: the user's own for all work, or that of the directory one stands in. */
export type Scope = 'user' | 'project';

/** What an entry is made of. */
export interface EntryFacts {
  readonly url: string;
  readonly name: string;
  /** Given by the user to be written; undefined: the client's own way to keep it out of the file. */
  readonly key: string | undefined;
  /** Command line of `toolbus stdio`, for clients that only start processes. */
  readonly stdio: readonly string[];
  /** Where the key is looked for by such a client. */
  readonly keyFile: string;
}

/** Something to set in the client's file; what stands beside it stays. */
export interface Setting {
  readonly path: readonly (string | number)[];
  readonly value: JsonObject;
  /** Members of `value` that we own: those it does not have any more are removed. */
  readonly owned: readonly string[];
}

/** A list of objects with ids, to which one is added or replaced. */
export interface ListItem {
  readonly path: readonly string[];
  readonly id: string;
  readonly value: JsonObject;
}

/** One kind of client. */
export interface Client {
  readonly title: string;
  readonly defaultScope: Scope;
  /** Undefined: the client has no file of that scope. */
  file(scope: Scope, surroundings: Surroundings): string | undefined;
  /** Name of the member that holds its servers. */
  readonly topKey: string;
  entry(facts: EntryFacts): Setting;
  /** Beside the entry, where the client has a list of secrets to ask for. */
  input?(facts: EntryFacts): ListItem;
  /** Other ways to add it: a command line, a link. */
  ways(facts: EntryFacts): readonly { readonly title: string; readonly text: string }[];
  /** What is left to do. */
  next(facts: EntryFacts): readonly string[];
}

/** Variables that the user gave the entry stay. */
const ownedMembers = ['type', 'url', 'headers', 'command', 'args'] as const;

export function settingOf(topKey: string, { name }: EntryFacts, value: JsonObject): Setting {
  return { path: [topKey, name], value, owned: ownedMembers };
}
