import { CST, Lexer } from 'yaml';

/**
 * The offset at which YAML text nests deeper than `limit`, if it does. To be asked before the text is parsed: the parser recurses, and a regular
 * expression compiled at the end of the stack aborts the whole process. The lexer does not recurse.
 */
export function tooDeepAt(text: string, limit: number): number | undefined {
  /** Columns of the open block levels. */
  const columns: number[] = [];
  let flow = 0;
  let at = 0;
  let lineStart = 0;
  let fresh = true;
  for (const lexeme of new Lexer().lex(text)) {
    const type = CST.tokenType(lexeme);
    switch (type) {
      case 'byte-order-mark':
        at += lexeme.length;
        continue;
      case 'doc-mode':
      case 'flow-error-end':
      case 'scalar':
        // Marks of the lexer itself, or the text of a scalar, which the mark before it has announced.
        if (lexeme.length === 1 && lexeme < ' ') continue;
        break;
      case 'flow-map-start':
      case 'flow-seq-start':
        flow += 1;
        break;
      case 'flow-map-end':
      case 'flow-seq-end':
        flow = Math.max(0, flow - 1);
        break;
    }
    const space = type === 'space' || type === 'newline' || type === 'comment';
    if (flow === 0 && !space && (fresh || type === 'seq-item-ind' || type === 'explicit-key-ind')) {
      const column = at - lineStart;
      while ((columns.at(-1) ?? -1) > column) columns.pop();
      if (columns.at(-1) !== column) columns.push(column);
    }
    // What follows an indicator on its line opens a level of its own.
    if (!space) fresh = type === 'seq-item-ind' || type === 'explicit-key-ind';
    if (flow + columns.length > limit) return at;
    at += lexeme.length;
    const lastBreak = lexeme.lastIndexOf('\n');
    if (lastBreak >= 0) {
      lineStart = at - lexeme.length + lastBreak + 1;
      fresh = true;
    }
  }
  return undefined;
}
