import { ensureLogicalPublication } from './logical-feed.ts';
import { ensureShopSchema } from './schema.ts';

/**
 * Everything in the shop that its owner must make: tables, columns, replica identities, and the publications that
 * capture reads without rights of its own. What is there is left alone. Rejects with a UserError when a right is
 * missing.
 */
export async function prepareShop(shopUrl: string, crmUrl: string): Promise<void> {
  await ensureShopSchema(shopUrl, crmUrl);
  await ensureLogicalPublication(shopUrl, 'instashop');
  await ensureLogicalPublication(crmUrl, 'crm_db');
}
