import { basename, sep } from 'node:path';
import { showName } from '../problems.ts';
import { parseReferences } from '../references.ts';

/** What a client's variables stand for where the import runs. */
export interface ClientVariables {
  /** `${workspaceFolder}`: the directory that the file belongs to. */
  readonly workspaceFolder: string;
  readonly platform: NodeJS.Platform;
}

export interface Rewritten {
  readonly text: string;
  /** True when it holds a reference: then no part of it is taken for a secret. */
  readonly refers: boolean;
}

/** Variables of VS Code that mean an open editor, which toolbus has none of. */
const editorVariables: ReadonlySet<string> = new Set([
  'cwd',
  'file',
  'fileBasename',
  'fileBasenameNoExtension',
  'fileDirname',
  'fileDirnameBasename',
  'fileExtname',
  'fileWorkspaceFolder',
  'lineNumber',
  'relativeFile',
  'relativeFileDirname',
  'selectedText',
  'execPath',
  'defaultBuildTask',
]);

/**
 * A text of a client's file in toolbus' own words: `${env:X}` is `${X}`, `${input:x}` is a variable, the predefined ones are resolved, and what
 * has no counterpart stays as text. `need` and `note` are told what must be set and what was lost.
 */
export function rewriteText(
  text: string,
  { workspaceFolder, platform }: ClientVariables,
  need: (variable: string) => void,
  note: (text: string) => void,
): Rewritten {
  let refers = false;
  let result = '';
  const literal = (part: string): void => {
    result += part.replaceAll('${', () => '$${');
  };
  const separated = text.replaceAll('${pathSeparator}', sep).replaceAll('${/}', sep);
  const source = separated.replaceAll('${workspaceFolderBasename}', basename(workspaceFolder));
  for (const segment of parseReferences(source, true)) {
    if (typeof segment === 'string') literal(segment);
    else if (segment.kind === 'workspaceFolder') literal(workspaceFolder);
    else if (segment.kind === 'userHome') {
      refers = true;
      result += platform === 'win32' ? '${USERPROFILE}' : '${HOME}';
    } else if (segment.kind === 'env' && !editorVariables.has(segment.name)) {
      refers = true;
      // A variable with a default need not be set.
      if (segment.fallback === undefined) need(segment.name);
      result += segment.fallback === undefined ? `\${${segment.name}}` : `\${${segment.name}:-${segment.fallback}}`;
    } else {
      const shown =
        segment.kind === 'malformed' ? segment.source : `\${${'name' in segment ? segment.name : segment.kind}}`;
      note(`${showName(shown)} has no counterpart and stays as text`);
      literal(shown);
    }
  }
  return { text: result, refers };
}
