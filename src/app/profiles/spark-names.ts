/** User of Spark's driver and executors at Kafka. */
export const SPARK_USER = 'instashop-spark';
/** Name of the secret that Spark Connect asks its clients for. */
export const CONNECT_TOKEN = 'instashop-spark-connect';
/** Where `cluster up` starts the Connect server. */
export const SPARK_URL = 'http://127.0.0.1:15002';
