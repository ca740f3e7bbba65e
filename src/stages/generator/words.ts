// The material the shop is made of. Names are made up; product names and categories stand for what such shops sell.

/** Eight products a category: name and usual price in minor units. */
export const CATEGORIES = {
  Electronics: {
    /** How far a price may lie from the usual one. */
    volatility: 0.05,
    products: [
      ['Wireless Headphones', 8999],
      ['Mechanical Keyboard', 11900],
      ['4K Monitor', 34900],
      ['Smartwatch', 19900],
      ['Portable Speaker', 5990],
      ['Tablet 11', 42900],
      ['Action Camera', 27900],
      ['USB-C Dock', 7450],
    ],
  },
  Clothing: {
    volatility: 0.15,
    products: [
      ['Linen Shirt', 3990],
      ['Denim Jacket', 7900],
      ['Wool Sweater', 6450],
      ['Running Shoes', 8990],
      ['Summer Dress', 4990],
      ['Rain Coat', 9450],
      ['Chino Trousers', 5490],
      ['Cotton Socks', 890],
    ],
  },
  Books: {
    volatility: 0.02,
    products: [
      ['Crime Novel', 1490],
      ['Cookbook', 2990],
      ['Travel Guide', 2190],
      ['Poetry Collection', 1290],
      ['History Atlas', 3990],
      ['Science Primer', 2490],
      ["Children's Tales", 1690],
      ['Chess Manual', 1990],
    ],
  },
  Home: {
    volatility: 0.08,
    products: [
      ['Desk Lamp', 3450],
      ['Coffee Maker', 8900],
      ['Ceramic Vase', 2790],
      ['Cotton Bedding', 6990],
      ['Kitchen Knife Set', 7490],
      ['Wall Clock', 2990],
      ['Armchair', 24900],
      ['Storage Basket', 1890],
    ],
  },
  Toys: {
    volatility: 0.2,
    products: [
      ['Building Blocks', 2990],
      ['Wooden Train', 3490],
      ['Puzzle 1000', 1590],
      ['Plush Bear', 1990],
      ['Board Game', 3290],
      ['Toy Drone', 5990],
      ['Marble Run', 4490],
      ['Card Game', 990],
    ],
  },
} as const satisfies Record<string, { volatility: number; products: readonly (readonly [string, number])[] }>;

export type Category = keyof typeof CATEGORIES;

export const PRODUCT_LINES = [
  'Classic',
  'Eco',
  'Plus',
  'Studio',
  'Compact',
  'Premium',
  'Daily',
  'Travel',
] as const;

export const FIRST_NAMES = [
  'Ana',
  'Bruno',
  'Carla',
  'Diego',
  'Elena',
  'Fabian',
  'Gabriela',
  'Hugo',
  'Inés',
  'Joaquín',
  'Karina',
  'Lucas',
  'Marta',
  'Nicolás',
  'Olivia',
  'Pablo',
  'Rocío',
  'Sofía',
  'Tomás',
  'Valeria',
] as const;

export const LAST_NAMES = [
  'Acosta',
  'Benítez',
  'Castro',
  'Domínguez',
  'Espinoza',
  'Fernández',
  'Giménez',
  'Herrera',
  'Ibáñez',
  'Juárez',
  'López',
  'Molina',
  'Navarro',
  'Ortega',
  'Peralta',
  'Quiroga',
  'Ramírez',
  'Suárez',
  'Torres',
  'Vega',
] as const;

export const SHOP_PLACES = [
  'Casa',
  'Tienda',
  'Mercado',
  'Rincón',
  'Bazar',
  'Galería',
  'Almacén',
  'Taller',
] as const;
export const SHOP_NAMES = [
  'Luna',
  'Norte',
  'del Sol',
  'Austral',
  'Río',
  'Andina',
  'Roble',
  'Central',
] as const;
export const STREETS = [
  'San Martín',
  'Belgrano',
  'Rivadavia',
  'Mitre',
  'Sarmiento',
  'Moreno',
  'Alsina',
] as const;
export const CITIES = ['Buenos Aires', 'Córdoba', 'Rosario', 'Mendoza', 'La Plata', 'Salta'] as const;

/** What people search for beside the names of products. */
export const SEARCH_TERMS = [
  'gift ideas',
  'free shipping',
  'sale',
  'headphones',
  'running shoes',
  'desk lamp',
  'board game',
  'novel',
  'winter coat',
  'birthday present',
  'coffee',
  'wooden toys',
  'tablet case',
  'wedding dress',
  'second hand',
] as const;
