import { isJsonObject, type JsonObject, type JsonValue } from '../../../shared/mcp/json.ts';

/** The base of a schema that names none. Nothing is ever fetched from here or elsewhere. */
const unnamed = 'schema:/';

/** Where the references of one schema document may lead: to places in the document itself. */
export interface References {
  /** The base URI of what stands inside this node, given that of its parent; the node is remembered under it. */
  enter(node: JsonObject, base: string): string;
  /** The subschema that a reference means, undefined when it is not in the document. Only after every node was entered. */
  resolve(reference: string, base: string): JsonValue | undefined;
  /** All places of that dynamic anchor: which one counts is decided by the value. */
  dynamic(anchor: string): readonly JsonObject[];
}

export const rootBase = unnamed;

export function createReferences(): References {
  const resources = new Map<string, JsonObject>();
  const anchors = new Map<string, JsonObject>();
  const dynamics = new Map<string, JsonObject[]>();

  return {
    enter(node, base) {
      const { $id, $anchor, $dynamicAnchor } = node;
      let own = base;
      if (typeof $id === 'string' && $id !== '' && $id !== '#') {
        // draft-07 names anchors by an `$id` that is a fragment.
        if ($id.startsWith('#')) anchors.set(base + $id, node);
        else own = absolute($id.replace(/#$/, ''), base) ?? base;
      }
      if (!resources.has(own)) resources.set(own, node);
      for (const anchor of [$anchor, $dynamicAnchor])
        if (typeof anchor === 'string') anchors.set(`${own}#${anchor}`, node);
      if (typeof $dynamicAnchor === 'string') {
        const alike = dynamics.get($dynamicAnchor) ?? [];
        alike.push(node);
        dynamics.set($dynamicAnchor, alike);
      }
      return own;
    },
    resolve(reference, base) {
      const hash = reference.indexOf('#');
      const address = hash === -1 ? reference : reference.slice(0, hash);
      const fragment = hash === -1 ? '' : decode(reference.slice(hash + 1));
      const resource = address === '' ? base : absolute(address, base);
      const root = resource === undefined ? undefined : resources.get(resource);
      if (root === undefined || fragment === undefined) return undefined;
      if (fragment === '') return root;
      return fragment.startsWith('/') ? at(root, fragment) : anchors.get(`${resource}#${fragment}`);
    },
    dynamic: (anchor) => dynamics.get(anchor) ?? [],
  };
}

function absolute(address: string, base: string): string | undefined {
  try {
    return new URL(address, base).href;
  } catch {
    return undefined;
  }
}

function decode(fragment: string): string | undefined {
  try {
    return decodeURIComponent(fragment);
  } catch {
    return undefined;
  }
}

/** The value at a JSON pointer (RFC 6901), by own members only. */
function at(root: JsonObject, pointer: string): JsonValue | undefined {
  let node: JsonValue | undefined = root;
  for (const step of pointer.slice(1).split('/')) {
    const name = step.replaceAll('~1', '/').replaceAll('~0', '~');
    if (Array.isArray(node)) node = /^(0|[1-9]\d*)$/.test(name) ? node[Number(name)] : undefined;
    else if (isJsonObject(node)) node = Object.hasOwn(node, name) ? node[name] : undefined;
    else return undefined;
  }
  return node;
}
