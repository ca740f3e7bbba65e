// What each number is made of.
import type { Texts } from './text.ts';

export const define: Texts['define'] = {
  revenue:
    'Lo que dieron las ventas completadas, contado cuando la venta se completó. Los reembolsos y ' +
    'cancelaciones se restan en la línea de abajo, cuando ocurrieron.',
  itemRevenue:
    'Precio cobrado × cantidad de los artículos de ventas completadas de esta categoría, sin reembolsos.',
  sales: 'Ventas que se completaron en este tiempo.',
  items: 'Líneas de ventas completadas de esta categoría; una línea puede tener varias unidades.',
  perMinute: 'La última ventana cerrada de 30 s, por dos: la abierta aún no está entera.',
  average: 'Ingresos entre el número de ventas completadas, del mismo tiempo.',
  averageItem: 'Ingresos de la categoría entre sus líneas vendidas, del mismo tiempo.',
  conversion:
    'Ventas completadas por cada 100 visitas al sitio del mismo tiempo. Una visita es un evento, no una persona: ' +
    'es una tasa de toda la tienda y puede pasar del 100 %.',
  buyers: 'Compradores distintos de ventas completadas, solo de la última ventana: no se pueden sumar.',
  eventRate:
    'Visitas, búsquedas, pasos del carrito y ventas registradas en la última ventana cerrada, por segundo.',
  notRevenue:
    'Ventas pendientes, fallidas o reembolsadas en este tiempo, con su importe. Nunca son ingresos.',
  today: 'Desde la medianoche de su zona horaria, según las horas del almacén. Incluye la hora en curso.',
  categories:
    'Precio cobrado × cantidad de ventas completadas por categoría, y unidades. Pulse un nombre para filtrar.',
  payments: 'Ingresos de ventas completadas por forma de pago. Pulse un nombre para filtrar.',
  products:
    'Precio cobrado × cantidad y unidades de ventas completadas: los primeros por ingresos y por unidades. ' +
    'Las vistas son eventos de alguien que mira el producto, del almacén, a la hora que se dice en Personas.',
  carts:
    'Eventos del carrito tal como los escribió la tienda, y la suma del valor de los carritos tras cada uno. Son ' +
    'eventos, no carritos ni personas. Abandonado es lo que la tienda dice de un carrito que da por perdido.',
  activeSessions:
    'Sesiones distintas (session_id) cuyo primer evento es anterior al final y cuyo último no es anterior al ' +
    'comienzo. La que se ve de nuevo más de un día después ya no se encuentra.',
  differentBuyers: 'Compradores distintos (buyer_id) cuyas ventas se completaron, cada uno contado una vez.',
  newBuyers:
    'Compradores cuya primera venta completada, de este comercio si se elige uno, es de este tiempo; los ' +
    'demás habían comprado antes. Se sabe desde la primera carga del almacén.',
  abandonedCarts:
    'Carritos cuya sesión no hizo nada en 30 minutos, contados al acabar estos: no vacíos, sin pasar por caja ' +
    'ni venta posterior. El que se retoma después deja de contar. Al lado, los eventos de la propia tienda.',
  funnel:
    'Sesiones activas, cada una una vez, que habían dado el paso al final del tiempo. Una venta es de la ' +
    'sesión que nombra (session_id de ambas tablas), no del comprador. Dinero: los carritos como quedaron, lo ' +
    'pasado por caja y las ventas completadas sin restar reembolsos, según se sabe ahora. Las sesiones son ' +
    'de todas las monedas; el dinero, de la elegida.',
  behavior: 'Interacciones por tipo, cada una contada una vez.',
  searches:
    'Búsquedas por término. Sin resultado: las que hallaron 0; el porcentaje es de todas las búsquedas.',
  hourRevenue: 'Entradas en «completada» según la hora en que ocurrieron, de los resúmenes del almacén.',
  hourOrders: 'Ventas que se completaron, según la hora en que lo hicieron.',
  feed:
    'Las últimas ventas que se completaron, según el almacén, leídas cada 2 s. Del comprador solo se dice el final ' +
    'de su número.',
  reconciliation:
    'Filas, dinero y contenido de las bases de la tienda, el registro, el almacén y las ventanas, comparados ' +
    'en un corte exacto con todo en marcha: lo mismo que `instashop status --verify`. El dinero suma todas ' +
    'las monedas.',
  heat:
    'Ingresos medios de una hora, por día de la semana y hora de su zona, en las últimas cuatro semanas. Las ' +
    'horas sin ventas cuentan como cero; las anteriores al primer evento no cuentan.',
  totals:
    'Todo lo que contiene el almacén, de todos los comercios y monedas, se elija lo que se elija arriba.',
};
