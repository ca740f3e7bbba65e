import { crc32, inflateRawSync } from 'node:zlib';

// Signatures and fields of the format: APPNOTE.TXT, 4.3.7, 4.3.12 and 4.3.16.
const END = 0x06054b50;
const ENTRY = 0x02014b50;
const END_BYTES = 22;
const STORED = 0;
const DEFLATED = 8;

/**
 * The content of the first entry whose name passes. Rejects with an Error where there is none or it is damaged. For
 * small archives that are held in memory; no zip64, no encryption.
 */
export function unzipEntry(archive: Buffer, wanted: (name: string) => boolean): Buffer {
  let end = archive.length - END_BYTES;
  while (end >= 0 && archive.readUInt32LE(end) !== END) end--;
  if (end < 0) throw new Error('this is no zip archive');
  let at = archive.readUInt32LE(end + 16);
  for (let left = archive.readUInt16LE(end + 10); left > 0; left--) {
    if (archive.readUInt32LE(at) !== ENTRY) throw new Error('the zip archive is damaged');
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((field) =>
      archive.readUInt16LE(at + field),
    ) as [number, number, number];
    const name = archive.toString('utf8', at + 46, at + 46 + nameLength);
    if (wanted(name)) return content(archive, at);
    at += 46 + nameLength + extraLength + commentLength;
  }
  throw new Error('the zip archive does not hold what is looked for');
}

function content(archive: Buffer, at: number): Buffer {
  const method = archive.readUInt16LE(at + 10);
  const crc = archive.readUInt32LE(at + 16);
  const packed = archive.readUInt32LE(at + 20);
  const unpacked = archive.readUInt32LE(at + 24);
  const local = archive.readUInt32LE(at + 42);
  const from = local + 30 + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28);
  const raw = archive.subarray(from, from + packed);
  if (method !== STORED && method !== DEFLATED) throw new Error(`zip method ${method} is not known`);
  const bytes = method === STORED ? raw : inflateRawSync(raw, { maxOutputLength: unpacked });
  if (crc32(bytes) !== crc) throw new Error('the zip archive is damaged');
  return bytes;
}
