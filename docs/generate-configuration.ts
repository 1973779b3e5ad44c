// Writes configuration.md beside this file: node --import tsx docs/generate-configuration.ts
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { configJsonSchema } from '../shared/config/json-schema.ts';

/** Keys that are validated today and have no effect yet. A test holds that each of them exists. */
export const notYetEnforced: readonly string[] = [
  'servers.NAME.trustAnnotations',
];

interface Node {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly string[];
  readonly const?: string;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly additionalProperties?: Node | boolean;
  readonly items?: Node;
  readonly anyOf?: readonly Node[];
  readonly oneOf?: readonly Node[];
  readonly required?: readonly string[];
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, Node>>;
}

export interface Row {
  readonly key: string;
  readonly type: string;
  readonly default: string;
  readonly meaning: string;
}

/** One row for each key of the configuration, in the order of the schema. */
export function configurationRows(schema: Node = configJsonSchema()): Row[] {
  const resolve = (node: Node): Node => {
    const name = node.$ref?.slice('#/$defs/'.length);
    if (name === undefined) return node;
    return schema.$defs?.[name] ?? node;
  };
  /** A reference may stand for any scalar; the table says so once. */
  const plain = (node: Node): Node => {
    const [only, ...others] = (node.anyOf ?? []).filter(({ $ref }) => $ref === undefined);
    return only === undefined || others.length > 0 ? resolve(node) : { ...resolve(only), ...node };
  };
  const typeOf = (given: Node): string => {
    const node = plain(given);
    if (node.const !== undefined) return node.const;
    if (node.enum !== undefined) return node.enum.join(', ');
    if (node.type === 'array') return `list of ${node.items === undefined ? 'text' : typeOf(node.items)}`;
    if (node.type === 'object') return 'map';
    if (node.oneOf !== undefined) return [...new Set(node.oneOf.map(typeOf))].join(' or ');
    if (node.type === undefined) {
      const types = (node.anyOf ?? []).filter(({ $ref }) => $ref === undefined).map(typeOf);
      return [...new Set(types)].join(' or ');
    }
    return node.type === 'string' ? 'text' : node.type;
  };
  const walk = (node: Node, path: string): Row[] =>
    Object.entries(node.properties ?? {}).flatMap(([name, given]) => {
      const key = path === '' ? name : `${path}.${name}`;
      const field = plain(given);
      const own: Row = { key, type: typeOf(field), default: shownDefault(field), meaning: field.description ?? '' };
      return name === '$schema' || key === 'mcpServers' ? [own] : [own, ...inside(field, key)];
    });
  /** What stands below a key: members of a map, entries under names of the operator's own, items of a list, one of several forms. */
  const inside = (given: Node, key: string): Row[] => {
    const { properties, additionalProperties, items, oneOf, anyOf } = plain(given);
    const forms = oneOf ?? anyOf?.filter(({ $ref }) => $ref === undefined) ?? [];
    return [
      ...(properties === undefined ? [] : walk({ properties }, key)),
      ...(typeof additionalProperties === 'object' ? inside(additionalProperties, `${key}.NAME`) : []),
      ...(items === undefined ? [] : inside(items, key)),
      ...forms.flatMap((form) => inside(form, key)),
    ];
  };
  const rows = new Map<string, Row>();
  for (const row of walk(schema, '')) {
    const known = rows.get(row.key);
    // A member that tells the forms of its parent apart has another value in each.
    if (known === undefined) rows.set(row.key, row);
    else if (known.type !== row.type) rows.set(row.key, { ...known, type: `${known.type}, ${row.type}` });
  }
  return [...rows.values()];
}

function shownDefault(field: Node): string {
  if (field.default === undefined || field.type === 'object') return '';
  return `\`${JSON.stringify(field.default)}\``;
}

/** The text of docs/configuration.md. */
export function configurationPage(): string {
  const isPending = (key: string) => notYetEnforced.some((pending) => key === pending || key.startsWith(`${pending}.`));
  const cell = (text: string) => text.replaceAll('|', '\\|');
  const rows = configurationRows().map(
    (row) =>
      `| \`${row.key}\` | ${cell(row.type)} | ${cell(row.default)} | ${cell(row.meaning)}${isPending(row.key) ? ' (**not enforced yet**)' : ''} |`,
  );
  const template = readFileSync(new URL('configuration.template.md', import.meta.url), 'utf8');
  const table = ['| key | type | default | meaning |', '| --- | --- | --- | --- |', ...rows].join('\n');
  return template.replace('<!-- keys -->', () => table);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  writeFileSync(fileURLToPath(new URL('configuration.md', import.meta.url)), configurationPage());
}
