import { startShim } from '../../services/cli/stdio/start.ts';
import { OperatorError } from '../../shared/errors.ts';

/** The program of the .mcpb bundle: `toolbus stdio` with its settings in variables, without the rest of toolbus. */
try {
  process.exitCode = await startShim({ url: process.env['TOOLBUS_URL'] ?? '', env: process.env });
} catch (error) {
  if (!(error instanceof OperatorError)) throw error;
  process.stderr.write(`toolbus: ${error.message}${error.hint === undefined ? '' : ` (${error.hint})`}\n`);
  process.exitCode = error.code;
}
