// Writes a zip archive (PKWARE APPNOTE 6.3.3): deflated files, UTF-8 names, no directories, one fixed time, so that the same input
// gives the same bytes. No zip64: a bundle is some hundred kilobytes.
import * as zlib from 'node:zlib';

const localHeader = 0x04034b50;
const centralHeader = 0x02014b50;
const endOfDirectory = 0x06054b50;
const version = 20;
const utf8Names = 1 << 11;
const deflated = 8;
/** 1980-01-01, the first day a zip archive knows. */
const date = (1 << 5) | 1;
/** `-rw-r--r--` of a regular file, and that Unix wrote it. */
const mode = (0o100644 << 16) >>> 0;
const madeByUnix = (3 << 8) | version;

/** The archive of `files`: names with slashes and their bytes. */
export function zip(files) {
  const locals = [];
  const centrals = [];
  let offset = 0;
  for (const [name, content] of Object.entries(files)) {
    const bytes = Buffer.from(content);
    const packed = zlib.deflateRawSync(bytes, { level: 9 });
    const nameBytes = Buffer.from(name, 'utf8');
    const common = Buffer.alloc(26);
    common.writeUInt16LE(version, 0);
    common.writeUInt16LE(utf8Names, 2);
    common.writeUInt16LE(deflated, 4);
    common.writeUInt16LE(0, 6);
    common.writeUInt16LE(date, 8);
    common.writeUInt32LE(crc32(bytes), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(bytes.length, 18);
    common.writeUInt16LE(nameBytes.length, 22);
    common.writeUInt16LE(0, 24);
    const local = Buffer.concat([uint32(localHeader), common, nameBytes, packed]);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(mode, 6);
    rest.writeUInt32LE(offset, 10);
    centrals.push(Buffer.concat([uint32(centralHeader), uint16(madeByUnix), common, rest, nameBytes]));
    locals.push(local);
    offset += local.length;
  }
  const directory = Buffer.concat(centrals);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(centrals.length, 4);
  end.writeUInt16LE(centrals.length, 6);
  end.writeUInt32LE(directory.length, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...locals, directory, uint32(endOfDirectory), end]);
}

/** Node has its own from 20.15 on. */
function crc32(bytes) {
  if (zlib.crc32 !== undefined) return zlib.crc32(bytes);
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

function uint32(value) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function uint16(value) {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}
