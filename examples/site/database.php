<?php

/*
 * The guest book's database: the account comes from the environment that stillup gives the
 * site (DB_HOST, DB_NAME, DB_USER, DB_PASSWORD). Nothing is printed when asked for directly.
 */

declare(strict_types=1);

/** Connects to the database, waiting at most $seconds for it. Throws PDOException. */
function database(int $seconds = 5): PDO
{
    return new PDO(
        sprintf('mysql:host=%s;dbname=%s;charset=utf8mb4', getenv('DB_HOST'), getenv('DB_NAME')),
        (string) getenv('DB_USER'),
        (string) getenv('DB_PASSWORD'),
        [
            PDO::ATTR_TIMEOUT => $seconds,
            PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION,
            PDO::ATTR_EMULATE_PREPARES => false,
            PDO::ATTR_DEFAULT_FETCH_MODE => PDO::FETCH_ASSOC,
        ],
    );
}

/** Runs $work, making the guest book's table first if this is the first time it is asked for. */
function with_table(PDO $database, callable $work): mixed
{
    try {
        return $work($database);
    } catch (PDOException $error) {
        if ($error->getCode() !== '42S02') {
            throw $error;
        }
    }
    $database->exec(
        'CREATE TABLE IF NOT EXISTS guests (
            id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
            name VARCHAR(60) NOT NULL,
            words VARCHAR(500) NOT NULL,
            server VARCHAR(64) NOT NULL,
            written TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
        ) ENGINE = InnoDB CHARACTER SET utf8mb4'
    );
    return $work($database);
}

/** The last entries, newest first. */
function entries(PDO $database, int $most): array
{
    return with_table($database, function (PDO $database) use ($most): array {
        $query = $database->prepare(
            'SELECT name, words, server, written FROM guests ORDER BY id DESC LIMIT ?'
        );
        $query->bindValue(1, $most, PDO::PARAM_INT);
        $query->execute();
        return $query->fetchAll();
    });
}

/** Writes one entry and returns its number. */
function write_entry(PDO $database, string $name, string $words, string $server): int
{
    return with_table($database, function (PDO $database) use ($name, $words, $server): int {
        $query = $database->prepare('INSERT INTO guests (name, words, server) VALUES (?, ?, ?)');
        $query->execute([$name, $words, $server]);
        return (int) $database->lastInsertId();
    });
}
