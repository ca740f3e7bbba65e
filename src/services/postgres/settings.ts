// The server's settings as data: the launcher gives them on the command line, and ops/compose.yaml has the same.

/** Small memory, durable commits, logical decoding; a slot nobody reads cannot fill the disk. */
export const POSTGRES_SETTINGS: Readonly<Record<string, string>> = {
  timezone: 'UTC',
  log_timezone: 'UTC',
  wal_level: 'logical',
  max_replication_slots: '20',
  max_wal_senders: '20',
  // A flood that capture is minutes behind must not cost it the slot; more would cost the disk.
  max_slot_wal_keep_size: '4GB',
  shared_buffers: '32MB',
  jit: 'off',
  log_checkpoints: 'off',
};

/** For a process of this machine, reached over 127.0.0.1 only. */
export const LOCAL_SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  io_method: 'sync',
};
