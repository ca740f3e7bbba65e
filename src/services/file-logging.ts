/** A process's log is bounded: two files of this size. */
const LOG_SIZE = '8MB';

/**
 * Warnings of a Java program (log4j 2) into a file, as a properties file that more lines may follow. `message`: the
 * pattern's end.
 */
export const fileLoggingText = (file: string, message: string): string => `status = warn
appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = ${file}
appender.file.filePattern = ${file}.%i
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{ISO8601} %p %c{1}: ${message}
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = ${LOG_SIZE}
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 1
rootLogger.level = warn
rootLogger.appenderRefs = file
rootLogger.appenderRef.file.ref = file
`;
