import { fileLoggingText } from '../file-logging.ts';

/** A broker's logging (log4j 2), as a properties file. */
export const loggingText = (file: string): string => `${fileLoggingText(file, '%m%n')}\
logger.server.name = kafka.server.KafkaRaftServer
logger.server.level = info
`;
