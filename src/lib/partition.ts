/** murmur2, 32 bit, as Kafka's default partitioner has it (org.apache.kafka.common.utils.Utils.murmur2). */
function murmur2(bytes: Uint8Array): number {
  const m = 0x5bd1e995;
  const { length } = bytes;
  let h = 0x9747b28c ^ length;
  let i = 0;
  for (; i + 4 <= length; i += 4) {
    let k = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    k = Math.imul(k, m);
    k ^= k >>> 24;
    h = Math.imul(h, m) ^ Math.imul(k, m);
  }
  const left = length - i;
  if (left === 3) h ^= bytes[i + 2]! << 16;
  if (left >= 2) h ^= bytes[i + 1]! << 8;
  if (left >= 1) h = Math.imul(h ^ bytes[i]!, m);
  h = Math.imul(h ^ (h >>> 13), m);
  return h ^ (h >>> 15);
}

const encoder = new TextEncoder();

/** The partition of a key, the one Kafka's Java producer would choose: murmur2(key) mod partitions. */
export const partitionOf = (key: string, partitions: number): number =>
  (murmur2(encoder.encode(key)) & 0x7fffffff) % partitions;
