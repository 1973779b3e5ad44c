import { extname, relative, resolve } from 'node:path';
import { importClientFile } from '../../../shared/config/import/convert.ts';
import { mergeImport, renderImport } from '../../../shared/config/import/render.ts';
import { exitCode, OperatorError } from '../../../shared/errors.ts';
import { readOwned, replaceOwned, withoutMark } from '../clients/edit-file.ts';
import type { CommonFlags } from '../flags.ts';

export interface ImportFlags extends CommonFlags {
  readonly write?: boolean | undefined;
}

/** `toolbus import FILE`: a client's servers as configuration of toolbus, on stdout or into the file. Resolves nothing and shows no secret. */
export async function runImport(name: string, flags: ImportFlags): Promise<number> {
  const file = resolve(name);
  const { text } = await readOwned(file);
  if (text === undefined) throw new OperatorError(exitCode.usage, `${name}: cannot be read: it does not exist`);
  const { body } = withoutMark(text);
  const syntax = /\.ya?ml$/i.test(file) ? 'yaml' : 'json';
  const imported = await importClientFile({ text: body, syntax, file, shown: name, platform: process.platform });
  const say = (line: string) => void process.stderr.write(`${line}\n`);
  const target = flags.config ?? (process.env['TOOLBUS_CONFIG'] || undefined) ?? 'toolbus.yaml';
  if (flags.write !== true) {
    if (flags.json === true) process.stdout.write(`${JSON.stringify(imported)}\n`);
    else process.stdout.write(renderImport(imported, name));
  } else {
    const written = await write(target, renderImport(imported, name), (before) =>
      mergeImport(before, imported, target),
    );
    if (flags.json === true) process.stdout.write(`${JSON.stringify({ ...imported, file: target, ...written })}\n`);
    else {
      process.stdout.write(
        `${target}: ${written.added.length === 0 ? 'nothing to add' : `added ${written.added.join(', ')}`}\n`,
      );
      if (written.skipped.length > 0) say(`it has these already: ${written.skipped.join(', ')}`);
    }
  }
  for (const { name: server, notes } of imported.servers) for (const note of notes) say(`${server}: ${note}`);
  for (const note of imported.notes) say(note);
  if (imported.variables.length > 0) say(`set before the start: ${imported.variables.join(', ')}`);
  return exitCode.ok;

  async function write(path: string, whole: string, merge: (before: string) => ReturnType<typeof mergeImport>) {
    if (/^\.jsonc?$/i.test(extname(path))) {
      throw new OperatorError(exitCode.usage, `${path}: --write changes YAML only`, {
        hint: 'print the servers without --write and add them by hand',
      });
    }
    const owned = await readOwned(resolve(path));
    if (owned.text === undefined) {
      await replaceOwned(owned, whole);
      const added = imported.servers.filter(({ entry }) => entry !== undefined).map(({ name: own }) => own);
      return { added, skipped: [] as string[] };
    }
    const { text: merged, added, skipped } = merge(owned.text);
    if (merged !== owned.text) {
      const { backup } = await replaceOwned(owned, merged);
      if (backup !== undefined) say(`what it was: ${relative('', backup) || backup}`);
    }
    return { added, skipped };
  }
}
