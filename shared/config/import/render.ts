import { Document, isMap, parseDocument, type YAMLMap } from 'yaml';
import { exitCode, OperatorError } from '../../errors.ts';
import { locateIn } from '../problems.ts';
import type { Imported, ImportedServer } from './convert.ts';

const lineWidth = 0;

/** A configuration file of its own; `from` is named in its first comment. */
export function renderImport(imported: Imported, from: string): string {
  const document = new Document({ servers: {} });
  const servers = document.get('servers');
  if (!isMap(servers)) throw new Error('a document of a map without its map');
  addServers(document, servers, imported.servers);
  document.commentBefore = [` from ${oneLine(from)}`, ...remarks(imported)].join('\n');
  return document.toString({ lineWidth });
}

export interface MergedImport {
  readonly text: string;
  readonly added: readonly string[];
  /** Names that the file has already. */
  readonly skipped: readonly string[];
}

/**
 * The text of a YAML configuration with the servers added that it does not have; its comments stay. Throws OperatorError with `file:line:col`
 * for a file that is broken.
 */
export function mergeImport(text: string, imported: Imported, file: string): MergedImport {
  const document = parseDocument(text, { prettyErrors: false, logLevel: 'error', keepSourceTokens: true });
  const [error] = document.errors;
  if (error !== undefined) throw broken(file, text, error.pos[0], 'this is not valid YAML');
  if (document.contents === null) {
    const added = imported.servers.filter(({ entry }) => entry !== undefined).map(({ name }) => name);
    return { text: `${text}${renderImport(imported, file)}`, added, skipped: [] };
  }
  if (!isMap(document.contents)) throw broken(file, text, 0, 'this should be a map');
  if (document.get('servers') === undefined || document.get('servers') === null) {
    document.set('servers', document.createNode({}));
  }
  const servers = document.get('servers', true);
  if (!isMap(servers)) throw broken(file, text, 0, 'servers should be a map');
  const isKnown = ({ name }: ImportedServer) => servers.has(name);
  const skipped = imported.servers.filter(isKnown).map(({ name }) => name);
  const fresh = imported.servers.filter((server) => !isKnown(server));
  const added = fresh.filter(({ entry }) => entry !== undefined).map(({ name }) => name);
  if (added.length === 0) return { text, added, skipped };
  // What was `{}` would put everything on one line.
  servers.flow = false;
  addServers(document, servers, fresh);
  return { text: document.toString({ lineWidth }), added, skipped };
}

function addServers(document: Document, servers: YAMLMap, imported: readonly ImportedServer[]): void {
  const lost: string[] = [];
  for (const { name, entry, notes } of imported) {
    if (entry === undefined) {
      lost.push(...notes.map((note) => ` ${name}: ${oneLine(note)}`));
      continue;
    }
    const key = document.createNode(name);
    const comments = [...lost.splice(0), ...notes.map((note) => ` ${oneLine(note)}`)];
    if (comments.length > 0) key.commentBefore = comments.join('\n');
    servers.add(document.createPair(key, document.createNode({ ...entry })));
  }
  if (lost.length > 0)
    servers.comment = [servers.comment, ...lost].filter((line) => line !== undefined && line !== null).join('\n');
}

function remarks({ notes, variables }: Imported): string[] {
  return [
    ...notes.map((note) => ` ${oneLine(note)}`),
    ...(variables.length > 0 ? [` set before the start: ${variables.join(', ')}`] : []),
  ];
}

function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ');
}

function broken(file: string, text: string, offset: number, why: string): OperatorError {
  const { line, col } = locateIn(text)(offset);
  return new OperatorError(exitCode.usage, `${file}:${line}:${col}: ${why}`, { hint: 'nothing was changed' });
}
