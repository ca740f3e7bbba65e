import { fileLoggingText } from '../file-logging.ts';

/** Logging (log4j 2) of a process into this file, as a properties file. Who calls wrongly is told by the answer. */
export const loggingText = (file: string): string => `${fileLoggingText(file, '%m%n%ex')}\
logger.deploy.name = org.apache.spark.deploy
logger.deploy.level = info
logger.calls.name = org.apache.spark.sql.connect.utils.ErrorUtils
logger.calls.level = off
`;

/** Logging of executors to stderr, which their worker writes into files of bounded size. */
export const EXECUTOR_LOGGING = `status = warn
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{ISO8601} %p %c{1}: %m%n%ex
rootLogger.level = warn
rootLogger.appenderRefs = console
rootLogger.appenderRef.console.ref = console
`;
