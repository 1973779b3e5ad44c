import { isJsonObject, type JsonObject } from '../../../shared/mcp/json.ts';
import type { Manifest } from '../../../shared/mcp/manifest.ts';
import type { ListKind } from './catalog.ts';
import { faultOf, isTooDeep } from './check-definition.ts';
import { cleanDefinition, cleanText } from './clean-text.ts';
import { skeleton } from './look-alikes.ts';

/** One thing a server offers, checked. */
export interface Entry {
  readonly server: string;
  /** The server's own name, URI or URI template. */
  readonly target: string;
  /** As the server sent it. */
  readonly definition: JsonObject;
  /** As agents may see it, in the server's own names. */
  readonly shown: JsonObject;
}

/** A definition that is kept from agents. */
export interface Quarantined {
  readonly kind: ListKind;
  readonly server: string;
  /** Cleaned and cut; empty when it has none. */
  readonly name: string;
  readonly reason: string;
  readonly bytes: number;
}

/** What one server offers, after the checks. Made once per manifest. */
export interface Offering {
  readonly manifest: Manifest;
  readonly entries: Readonly<Record<ListKind, readonly Entry[]>>;
  readonly quarantined: readonly Quarantined[];
  /** Characters after which descriptions were cut. */
  readonly maxDescription: number;
}

const maxEntries = 10_000;

/** Which member identifies an entry of each list. */
const identity = { tools: 'name', prompts: 'name', resources: 'uri', resourceTemplates: 'uriTemplate' } as const;

/** Length of a description where the configuration says nothing else, in characters. */
export const usualDescription = 4_096;

/**
 * Checks and cleans a manifest; `server` is the configured name, whatever the manifest says. Descriptions are cut after `maxDescription`
 * characters.
 */
export function readManifest(server: string, manifest: Manifest, maxDescription = usualDescription): Offering {
  const quarantined: Quarantined[] = [];
  const read = (kind: ListKind): Entry[] => {
    const entries: Entry[] = [];
    const seen = new Set<string>();
    const definitions: readonly unknown[] = Array.isArray(manifest[kind]) ? manifest[kind] : [];
    for (const definition of definitions) {
      const { entry, reason, name, bytes } = readEntry(server, kind, definition, seen, maxDescription);
      if (entry && entries.length < maxEntries) {
        seen.add(entry.target).add(alike(kind, entry.target));
        entries.push(entry);
      } else {
        quarantined.push({ kind, server, name, reason: reason ?? `more than ${maxEntries} entries`, bytes });
      }
    }
    return entries;
  };
  const entries = {
    tools: read('tools'),
    prompts: read('prompts'),
    resources: read('resources'),
    resourceTemplates: read('resourceTemplates'),
  };
  return { manifest, entries, quarantined, maxDescription };
}

interface Reading {
  readonly name: string;
  readonly bytes: number;
  readonly entry?: Entry;
  readonly reason?: string;
}

function readEntry(
  server: string,
  kind: ListKind,
  definition: unknown,
  seen: ReadonlySet<string>,
  maxDescription: number,
): Reading {
  if (!isJsonObject(definition)) return { name: '', bytes: 0, reason: 'it is not an object' };
  const name = typeof definition.name === 'string' ? cleanText(definition.name).slice(0, 128) : '';
  if (isTooDeep(definition)) return { name, bytes: 0, reason: 'it is nested too deep' };
  const text = JSON.stringify(definition);
  const bytes = Buffer.byteLength(text);
  const target = definition[identity[kind]];
  const reason = faultOf(kind, definition, text);
  if (reason !== undefined || typeof target !== 'string') return { name, bytes, reason: reason ?? 'it has no name' };
  if (seen.has(target)) return { name, bytes, reason: `the server lists this ${identity[kind]} twice` };
  if (seen.has(alike(kind, target)))
    return { name, bytes, reason: 'the name differs from an earlier one in looks or case only' };
  const shown = cutDescription(shownOf(kind, cleanDefinition(definition, text)), maxDescription);
  return { name, bytes, entry: { server, target, definition, shown } };
}

/** What two names that must not stand beside each other have in common; a NUL keeps it apart from the names themselves. */
function alike(kind: ListKind, target: string): string {
  return kind === 'tools' || kind === 'prompts' ? `\0${skeleton(target)}` : target;
}

function cutDescription(definition: JsonObject, maxLength: number): JsonObject {
  const { description } = definition;
  if (typeof description !== 'string' || description.length <= maxLength) return definition;
  const end = /[\ud800-\udbff]$/.test(description.slice(0, maxLength)) ? maxLength - 1 : maxLength;
  return { ...definition, description: `${description.slice(0, end)}…` };
}

/** Strict clients refuse a list with a tool whose schema names no type; arguments are an object either way. */
function shownOf(kind: ListKind, definition: JsonObject): JsonObject {
  const { inputSchema } = definition;
  if (kind !== 'tools' || !isJsonObject(inputSchema) || inputSchema.type === 'object') return definition;
  return { ...definition, inputSchema: { type: 'object', ...inputSchema } };
}
