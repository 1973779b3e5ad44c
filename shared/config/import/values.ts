import { showName } from '../problems.ts';
import { type MapTree, type ScalarTree, type Tree, toValue } from '../tree.ts';
import { type ClientVariables, rewriteText } from './rewrite.ts';
import { isSecretArgument, secretFlagOf, secretParameters } from './secrets.ts';

/** What the entries of one import share. */
export interface ValuesContext {
  readonly place: ClientVariables;
  readonly notes: string[];
  /** Literal values that became variables: two that differ must not share a name. */
  readonly literals: Map<string, string>;
  /** The file, as notes name it. */
  readonly shown: string;
}

/** Rewrites the values of one entry: references into ours, literals that may be secrets into references. `needed` gets the variables. */
export class Values {
  readonly #server: string;
  readonly #context: ValuesContext;
  readonly #needed: Set<string>;

  constructor(server: string, context: ValuesContext, needed: Set<string>) {
    this.#server = server;
    this.#context = context;
    this.#needed = needed;
  }

  plain(tree: Tree): unknown {
    if (tree.kind === 'scalar') return typeof tree.value === 'string' ? this.#rewrite(tree.value).text : tree.value;
    if (tree.kind === 'list') return tree.items.map((item) => this.plain(item));
    return toValue(tree);
  }

  /** `variable` names the variable that takes the place of a literal that may be a secret. */
  record(
    tree: MapTree,
    mayShow: (name: string, value: string) => boolean,
    variable: (name: string) => string,
  ): Record<string, unknown> {
    const result: Record<string, unknown> = Object.create(null);
    for (const [key, value] of tree.entries) {
      if (value.kind !== 'scalar') continue;
      const given = String(value.value ?? '');
      const { text, refers } = this.#rewrite(given);
      if (refers || mayShow(key, given)) {
        result[key] = text;
        continue;
      }
      const [, scheme = '', secret = ''] = /^((?:Bearer|Basic|Token) +)?([\s\S]*)$/i.exec(given) ?? [];
      result[key] = `${scheme}${this.#variableFor(variable(key), secret, key)}`;
    }
    return result;
  }

  args(items: readonly Tree[]): unknown[] {
    let announced: string | undefined;
    return items.map((item) => {
      if (item.kind !== 'scalar' || typeof item.value !== 'string') return this.plain(item);
      const given = item.value;
      const before = announced;
      announced = undefined;
      const { text, refers } = this.#rewrite(given);
      const flag = secretFlagOf(given);
      if (flag !== undefined && given.startsWith('=', flag.length) && !refers) {
        return `${flag}=${this.#variableFor(`${this.#server}_ARG_${flag}`, given.slice(flag.length + 1), flag)}`;
      }
      if (flag === given) announced = flag;
      if (refers || flag !== undefined) return text;
      if (before !== undefined && !given.startsWith('-')) {
        return this.#variableFor(`${this.#server}_ARG_${before}`, given, before);
      }
      return isSecretArgument(given) ? this.#variableFor(`${this.#server}_ARG`, given, 'an argument') : text;
    });
  }

  url({ value }: ScalarTree): unknown {
    if (typeof value !== 'string') return value;
    const { text, refers } = this.#rewrite(value);
    if (refers || !URL.canParse(value)) return refers || !value.includes('@') ? text : '';
    const url = new URL(value);
    const marks = new Map<string, string>();
    const mark = (variable: string): string => {
      const placeholder = `toolbus-reference-${marks.size}`;
      marks.set(placeholder, variable);
      return placeholder;
    };
    if (url.username !== '' || url.password !== '') {
      const secret = `${url.username}:${url.password}`;
      url.password = '';
      url.username = mark(this.#variableFor(`${this.#server}_USERINFO`, secret, 'user and password of the URL'));
    }
    for (const name of new Set(secretParameters(url))) {
      url.searchParams.set(
        name,
        mark(this.#variableFor(`${this.#server}_${name}`, url.searchParams.get(name) ?? '', name)),
      );
    }
    if (marks.size === 0) return text;
    let result = url.href.replaceAll('${', () => '$${');
    for (const [placeholder, variable] of marks) result = result.replace(placeholder, () => variable);
    return result;
  }

  #rewrite(text: string) {
    const { place, notes } = this.#context;
    return rewriteText(
      text,
      place,
      (variable) => this.#needed.add(variable),
      (note) => notes.push(note),
    );
  }

  #variableFor(name: string, secret: string, what: string): string {
    const { literals, notes, shown } = this.#context;
    const plain = identifier(name);
    const known = literals.get(plain);
    const variable = known === undefined || known === secret ? plain : identifier(`${this.#server}_${name}`);
    literals.set(variable, secret);
    this.#needed.add(variable);
    notes.push(
      `${showName(what)}: plain text in ${showName(shown)}, which was left out; put it into the variable ${variable}`,
    );
    return `\${${variable}}`;
  }
}

function identifier(name: string): string {
  const word = name
    .replace(/[^A-Za-z0-9]+/g, '_')
    .replace(/^_+|_+$/g, '')
    .toUpperCase();
  return /^[A-Z]/.test(word) ? word : `TOOLBUS_${word}`;
}
