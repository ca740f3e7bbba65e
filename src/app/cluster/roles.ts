// PostgreSQL's roles: what each may do, and no more.
import pg from 'pg';
import { ROLES } from '../profiles/cluster.ts';

/** Role → password. */
export type RolePasswords = Readonly<Record<(typeof ROLES)[keyof typeof ROLES], string>>;

export interface DatabaseUrls {
  readonly shop: string;
  readonly crm: string;
  readonly dwh: string;
}

const { owner, cdc, loader, dashboard } = ROLES;

/**
 * Makes the roles of both servers, or gives them these passwords, and their rights in the databases, which must be
 * there. The URLs are a superuser's. Doing it again changes nothing else.
 */
export async function ensureRoles(urls: DatabaseUrls, passwords: RolePasswords): Promise<void> {
  for (const url of [urls.shop, urls.crm]) {
    await sql(url, [
      role(owner, passwords[owner], 'LOGIN'),
      role(cdc, passwords[cdc], 'LOGIN REPLICATION'),
      ...closed(url, owner, [owner, cdc]),
      // Also of tables that are made later.
      ...readable(owner, cdc),
      // A publication is made for tables of one's own by whoever may create in the database.
      `GRANT CREATE ON DATABASE ${databaseOf(url)} TO ${owner}`,
    ]);
  }
  await sql(urls.dwh, [
    role(loader, passwords[loader], 'LOGIN'),
    role(dashboard, passwords[dashboard], 'LOGIN'),
    ...closed(urls.dwh, loader, [loader, dashboard]),
    ...readable(loader, dashboard),
  ]);
}

const databaseOf = (url: string): string => pg.escapeIdentifier(new URL(url).pathname.slice(1));

function role(name: string, password: string, attributes: string): string {
  const settings = `${attributes} NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD ${pg.escapeLiteral(password)}`;
  return `DO $do$ BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = '${name}') THEN ALTER ROLE ${name} ${settings};
    ELSE CREATE ROLE ${name} ${settings}; END IF; END $do$`;
}

/** Nobody but these connects, and only the maker of the tables creates. */
const closed = (url: string, maker: string, users: readonly string[]): string[] => [
  `REVOKE ALL ON DATABASE ${databaseOf(url)} FROM PUBLIC`,
  `GRANT CONNECT ON DATABASE ${databaseOf(url)} TO ${users.join(', ')}`,
  'REVOKE ALL ON SCHEMA public FROM PUBLIC',
  `GRANT USAGE ON SCHEMA public TO ${users.join(', ')}`,
  `GRANT CREATE ON SCHEMA public TO ${maker}`,
];

const readable = (maker: string, reader: string): string[] => [
  `GRANT SELECT ON ALL TABLES IN SCHEMA public TO ${reader}`,
  `ALTER DEFAULT PRIVILEGES FOR ROLE ${maker} IN SCHEMA public GRANT SELECT ON TABLES TO ${reader}`,
];

async function sql(url: string, statements: readonly string[]): Promise<void> {
  const client = new pg.Client({ connectionString: url, application_name: 'instashop setup' });
  await client.connect();
  try {
    await client.query('BEGIN');
    for (const statement of statements) await client.query(statement);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {});
    throw error;
  } finally {
    await client.end();
  }
}
