import { pino } from 'pino';
import { startIngress } from '../../../services/ingress/main.ts';
import { loadConfig } from '../../../shared/config/load.ts';

// An ingress that records nothing, which the command line does not offer: what audit costs is the difference.
const [file = '', nats = ''] = process.argv.slice(2);
const { config } = await loadConfig({ env: process.env, cwd: process.cwd(), forUp: false, file, dataDir: '' });
const log = pino({ level: 'warn' }, pino.destination(2));
const ingress = await startIngress({
  config,
  bus: { url: nats },
  tenant: config.nats.tenant,
  dataDir: undefined,
  host: '127.0.0.1',
  port: 0,
  adminHost: '127.0.0.1',
  adminPort: 0,
  log,
});
console.log(JSON.stringify({ event: 'ready', mcp: ingress.mcp }));
process.once('SIGTERM', () => void ingress.close().then(() => process.exit(0)));
