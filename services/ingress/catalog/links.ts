import { LRUCache } from 'lru-cache';

/** Which server last returned a link to a URI. A guess that costs one wrong read at most; forgotten when the ingress stops. */
export interface LinkMemory {
  /** `circle` keeps what agents with other rights were told apart. */
  note(circle: string, server: string, uri: string): void;
  serverOf(circle: string, uri: string): string | undefined;
}

const maxLinks = 10_000;
const maxUriLength = 2_048;

export function createLinkMemory(): LinkMemory {
  const links = new LRUCache<string, string>({ max: maxLinks });
  return {
    note(circle, server, uri) {
      if (uri.length <= maxUriLength) links.set(`${uri}\n${circle}`, server);
    },
    serverOf: (circle, uri) => links.get(`${uri}\n${circle}`),
  };
}
