// Every option of the system. Defaults are the original's figures.
import { choice, flag, instant, integer, number, port, text, url, type Values } from './option.ts';
import { DASHBOARD_PORT, POSTGRES_PORT } from './ports.ts';

export const OPTIONS = {
  profile: choice({
    default: 'embedded',
    choices: ['embedded', 'cluster'],
    description:
      'What the stores are made of. embedded: all on this machine, nothing to install. ' +
      'cluster: Kafka, Redis and PostgreSQL servers.',
  }),
  dataDir: text({ default: '.instashop', unit: 'folder', description: 'Where everything is kept.' }),

  generator: choice({
    default: 'on',
    choices: ['on', 'off'],
    description: 'off: no made-up customers; write your own sales into the shop.',
  }),
  rate: number({
    default: 7,
    min: 0.01,
    max: 100_000,
    unit: 'sales/s',
    description: 'Made-up sales; 3 visits come with 7 sales.',
  }),
  seed: text({
    default: 'instashop',
    description: 'Decides the made-up shop: the same seed gives the same shop and sales.',
  }),
  curve: choice({
    default: 'off',
    choices: ['on', 'off'],
    description: 'on: the rate follows hour, weekday and season (UTC), --rate being the mean.',
  }),
  clockSpeed: number({
    default: 1,
    min: 1,
    max: 100_000,
    unit: 'times',
    description: "Runs the generator's clock faster from --start-at until it meets the present.",
  }),
  startAt: instant({
    shown: 'now; 24 h ago with a faster clock',
    description: "Where the generator's clock starts.",
  }),

  postgresPort: port({
    usual: POSTGRES_PORT,
    description: 'Where the embedded PostgreSQL listens, on 127.0.0.1 only. 0: any free port.',
  }),
  shopUrl: url({
    shown: 'the embedded PostgreSQL; cluster: 127.0.0.1:5432',
    description: 'An existing PostgreSQL ≥ 14 with the database instashop. Better given by the environment.',
  }),
  crmUrl: url({
    shown: 'database crm_db beside the shop',
    description: 'An existing PostgreSQL ≥ 14 with the database crm_db.',
  }),
  dwhUrl: url({
    shown: 'the embedded PostgreSQL; cluster: 127.0.0.1:5436',
    description: 'An existing PostgreSQL ≥ 14 with an empty database for the warehouse.',
  }),

  kafkaBrokers: text({
    default: '127.0.0.1:9092,127.0.0.1:9093,127.0.0.1:9094',
    pattern: /^[^\s,:]+:\d+(,[^\s,:]+:\d+)*$/,
    unit: 'host:port,…',
    description: 'Brokers of the cluster profile; any of them tells the others.',
  }),
  kafkaAuth: choice({
    default: 'scram',
    choices: ['scram', 'none'],
    description: 'scram: each stage signs in as its own user instashop-<stage> (SASL/SCRAM-SHA-256).',
  }),
  kafkaTls: choice({
    default: 'off',
    choices: ['on', 'off'],
    description: 'Whether connections to the brokers are encrypted.',
  }),
  redisUrl: url({
    schemes: ['redis', 'rediss'],
    shown: 'cluster: redis://127.0.0.1:6379',
    description: 'Redis ≥ 7 or Valkey of the cluster profile.',
  }),
  secrets: text({
    default: null,
    shown: '<data-dir>/cluster/secrets',
    unit: 'folder',
    description: "Password files of the cluster's users; INSTASHOP_SECRET_<USER> comes before them.",
  }),
  instance: text({
    default: null,
    pattern: /^[\w.-]{1,60}$/,
    shown: '<host>-<pid>',
    unit: 'name',
    description: 'Name of this process among several of a stage (cluster profile).',
  }),

  metricsEngine: choice({
    default: 'embedded',
    choices: ['embedded', 'spark'],
    description:
      'Who computes the windows. embedded: the metrics stage itself. ' +
      'spark: Apache Spark 4 over Spark Connect (cluster profile).',
  }),
  sparkUrl: url({
    schemes: ['http', 'https'],
    shown: 'http://127.0.0.1:15002',
    description: 'Spark Connect server of --metrics-engine spark.',
  }),
  sparkCheckpoint: text({
    default: null,
    shown: '<data-dir>/cluster/spark/checkpoints',
    unit: 'folder',
    description: 'Where Spark keeps its state: a path or URL that its driver and all executors reach.',
  }),
  sparkPartitions: integer({
    default: 2,
    min: 1,
    max: 1_000,
    unit: 'tasks',
    description: 'Tasks that aggregate in Spark. What it was first started with stays, as long as its state.',
  }),

  sparkWorkers: integer({
    default: 1,
    min: 1,
    max: 20,
    unit: 'processes',
    description: 'Spark workers that `cluster up` starts, each with one executor.',
  }),
  sparkCores: integer({
    default: 4,
    min: 2,
    max: 64,
    unit: 'tasks',
    description: 'Tasks that an executor runs at a time; more than the machine has cores is allowed.',
  }),
  sparkDriverMemory: integer({
    default: 1_024,
    min: 512,
    max: 65_536,
    unit: 'MB',
    description: 'Heap of the Spark Connect server, which plans the batches.',
  }),
  sparkExecutorMemory: integer({
    default: 768,
    min: 512,
    max: 65_536,
    unit: 'MB',
    description: 'Heap of each executor. Windows are kept beside it, on disk.',
  }),
  sparkMaster: integer({
    default: 7_077,
    min: 1_024,
    max: 65_000,
    unit: 'port',
    description:
      "Where the Spark master of `cluster up` listens; the next ones serve Spark's other processes.",
  }),
  sparkUi: integer({
    default: 8_080,
    min: 1_024,
    max: 65_000,
    unit: 'port',
    description: 'Where the Spark master serves its pages; the next ones serve those of the workers.',
  }),
  sparkJobs: integer({
    default: 4_040,
    min: 1_024,
    max: 65_000,
    unit: 'port',
    description: 'Where the Spark driver serves the pages of its jobs and queries.',
  }),

  capture: choice({
    default: 'logical',
    choices: ['logical', 'polling'],
    description: 'How changes are read. polling: for servers without logical decoding.',
  }),
  pollInterval: integer({
    default: 2_000,
    min: 50,
    max: 60_000,
    unit: 'ms',
    description: 'How often --capture polling asks the shop.',
  }),
  resnapshot: flag({
    description: 'Once: compare the tables with what was published and publish the differences.',
  }),
  mainCurrency: text({
    default: 'USD',
    pattern: /^[A-Z]{3}$/,
    unit: 'ISO code',
    description: 'Currency of the first tiles, and of rows that name none.',
  }),

  retention: number({
    default: 7,
    min: 0.05,
    max: 3_650,
    unit: 'days',
    description: 'How long the log keeps events.',
  }),
  retentionSize: number({
    default: 8,
    min: 0.01,
    max: 100_000,
    unit: 'GiB',
    description: 'How much of each topic the log keeps.',
  }),
  warehouseRetention: integer({
    default: 400,
    min: 1,
    max: 36_500,
    unit: 'days',
    description: 'How long the warehouse keeps events.',
  }),

  dashboardPort: port({
    usual: DASHBOARD_PORT,
    description: 'Where the page is served. 0: any free port.',
  }),
  reconcile: integer({
    default: 15,
    min: 0,
    max: 10_080,
    unit: 'minutes',
    description:
      'How often the page has shop, log, warehouse and windows compared; less often where that takes long. ' +
      '0: only when somebody asks.',
  }),
  alerts: text({
    default: null,
    shown: 'one rule: sales far from what this hour brought on the last seven days',
    unit: 'file',
    description: 'Rules of the alerts, as JSON: docs/09-dashboard.md.',
  }),
  alertWebhook: url({
    schemes: ['http', 'https'],
    shown: 'none',
    description:
      'Told by POST when an alert begins and ends. It may hold a secret: better by the environment.',
  }),
  embedOrigins: text({
    default: null,
    pattern: /^https?:\/\/[^\s,;'"]+(,https?:\/\/[^\s,;'"]+)*$/,
    shown: 'none',
    unit: 'origin,…',
    description: 'Origins whose pages may show the page in a frame (`?view=embed`).',
  }),
  dashboardHost: text({
    default: '127.0.0.1',
    unit: 'address',
    description:
      'Address the page is served at. 0.0.0.0 shows it to the network; that needs users who sign in.',
  }),
  users: text({
    default: null,
    shown: '<data-dir>/users.json',
    unit: 'file',
    description: 'Who may sign in to the page, as `instashop users add` writes it. With any user one must.',
  }),
  trustedProxies: text({
    default: null,
    pattern: /^[\d.:a-fA-F]+(,[\d.:a-fA-F]+)*$/,
    shown: 'none',
    unit: 'IP address,…',
    description:
      'Proxies whose X-Forwarded-For and X-Forwarded-Proto are believed; the page then needs users.',
  }),
  requestsPerSecond: integer({
    default: 200,
    min: 1,
    max: 100_000,
    description: 'Requests to the page from one address, five times as many at once; where one must sign in.',
  }),
  viewers: integer({
    default: 1_000,
    min: 1,
    max: 100_000,
    unit: 'pages',
    description: 'Pages that are kept up to date at a time.',
  }),
  viewersPerAddress: integer({
    default: 100,
    min: 1,
    max: 100_000,
    unit: 'pages',
    description: 'Of them from one address, where one must sign in.',
  }),
  viewersPerUser: integer({
    default: 20,
    min: 1,
    max: 100_000,
    unit: 'pages',
    description: 'Of them by one user.',
  }),
} as const;

export type Options = Values<typeof OPTIONS>;
