import { isJsonObject, type JsonObject } from '../../../shared/mcp/json.ts';
import type { Era } from '../../../shared/mcp/revisions.ts';
import type { ListKind } from './catalog.ts';
import type { Entry } from './offering.ts';
import { wrapOutputSchema, wrapsOutput } from './output-schema.ts';

/** An entry under the name or URI by which agents know it at one kind of endpoint. */
export interface Listed {
  readonly entry: Entry;
  readonly name: string;
  /** JSON text of the list's item. Made once, shared by all views. */
  text(era: Era): string;
}

/** `_meta` key of a definition whose name had to be changed beyond the prefix: what the server calls it. */
export const originalNameKey = 'toolbus/originalName';

export interface ListedOptions {
  /** The name had to be changed, so the original goes along. */
  readonly renamed?: boolean;
  /** How a URI of this server is spelled at this endpoint. */
  readonly agentUri?: ((uri: string) => string) | undefined;
}

/** Puts entries under names. */
export type Lister = (kind: ListKind, entry: Entry, name: string, options?: ListedOptions) => Listed;

/**
 * A lister that gives an entry the same item as long as its name stays, so that a change of one server does not make the text
 * of all others again. One kind of endpoint has one.
 */
export function createLister(): Lister {
  const made = new WeakMap<Entry, Listed>();
  return (kind, entry, name, options = {}) => {
    if (options.agentUri) return listEntry(kind, entry, name, options);
    const known = made.get(entry);
    if (known?.name === name) return known;
    const listed = listEntry(kind, entry, name, options);
    made.set(entry, listed);
    return listed;
  };
}

/** Puts an entry under a name. */
export function listEntry(kind: ListKind, entry: Entry, name: string, options: ListedOptions = {}): Listed {
  const item = (): JsonObject => {
    const named = { ...entry.shown, [nameMember[kind]]: name };
    const linked = options.agentUri ? moveAppLinks(named, options.agentUri) : named;
    if (!options.renamed) return linked;
    const meta = isJsonObject(linked._meta) ? linked._meta : {};
    return { ...linked, _meta: { ...meta, [originalNameKey]: entry.target } };
  };
  let modern: string | undefined;
  let legacy: string | undefined;
  return {
    entry,
    name,
    text(era) {
      if (era === 'legacy') {
        legacy ??= differsByEra(kind, entry.shown) ? JSON.stringify(asLegacy(item())) : this.text('modern');
        return legacy;
      }
      modern ??= JSON.stringify(asModern(kind, item()));
      return modern;
    },
  };
}

const nameMember = { tools: 'name', prompts: 'name', resources: 'uri', resourceTemplates: 'uriTemplate' } as const;

function differsByEra(kind: ListKind, shown: JsonObject): boolean {
  return kind === 'tools' && (shown.execution !== undefined || wrapsOutput(shown));
}

/** `execution` belongs to the tasks of 2025-11-25. */
function asModern(kind: ListKind, item: JsonObject): JsonObject {
  if (kind !== 'tools' || item.execution === undefined) return item;
  const { execution, ...rest } = item;
  return rest;
}

/** A client would call a tool that has to run as a task in a way that toolbus does not declare; the worker sees to it instead. */
function asLegacy(given: JsonObject): JsonObject {
  const item = withoutTaskSupport(given);
  const { outputSchema } = item;
  return outputSchema !== undefined && wrapsOutput(item)
    ? { ...item, outputSchema: wrapOutputSchema(outputSchema) }
    : item;
}

function withoutTaskSupport(item: JsonObject): JsonObject {
  const { execution, ...rest } = item;
  if (!isJsonObject(execution) || execution.taskSupport === undefined) return item;
  const { taskSupport, ...others } = execution;
  return Object.keys(others).length === 0 ? rest : { ...rest, execution: others };
}

/** MCP Apps name the resource that shows a tool in its `_meta`. */
function moveAppLinks(definition: JsonObject, agentUri: (uri: string) => string): JsonObject {
  const { _meta: meta } = definition;
  if (!isJsonObject(meta)) return definition;
  const flat = meta['ui/resourceUri'];
  const { ui } = meta;
  return {
    ...definition,
    _meta: {
      ...meta,
      ...(typeof flat === 'string' ? { 'ui/resourceUri': agentUri(flat) } : {}),
      ...(isJsonObject(ui) && typeof ui.resourceUri === 'string'
        ? { ui: { ...ui, resourceUri: agentUri(ui.resourceUri) } }
        : {}),
    },
  };
}
