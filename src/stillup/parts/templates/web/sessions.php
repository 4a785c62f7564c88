<?php

/*
 * Keeps PHP's sessions in the site's database, so that no user is logged out when a web server
 * dies, is rebooted or comes back empty. PHP loads it before every page (auto_prepend_file); it
 * connects only when a page starts a session, and a page that brings its own session handler
 * simply replaces it.
 *
 * Requests of one session run one after another, as with PHP's own files: a lock in the
 * database, which a page loses when it does nothing with its session for three seconds, and which
 * another one waits for a few seconds at most: a web server that died has its locks still, and
 * the kernel of the database server may take a quarter of an hour to notice (an answer that nobody
 * acknowledges is sent again and again, and no keepalive asks meanwhile). A page that lost its lock writes
 * its session all the same, unless another one has written or ended it since: it would put the session
 * back to what it was before. What it changed itself is lost then, and the log says so. Tried and rejected: memcached on every web server with replicas, which
 * forgets sessions as soon as one of them comes back empty.
 */

declare(strict_types=1);

namespace Stillup;

final class Sessions implements \SessionHandlerInterface, \SessionUpdateTimestampHandlerInterface
{
    private const CONNECT_SECONDS = 5;
    private const LOCK_SECONDS = 5;
    private const IDLE_SECONDS = 3;
    /** The connection is gone: 4031 says that it was idle for too long. */
    private const GONE = [2006, 2013, 4031];
    /** A session that is only read is marked as used this often, not with every page. */
    private const TOUCH_SECONDS = 60;
    private const NO_SUCH_TABLE = '42S02';

    private ?\PDO $database = null;
    /** The session that is loaded and locked, by the hash of its identity. */
    private ?string $key = null;
    /** @var array{data: string, touched: int}|null */
    private ?array $row = null;
    /** What the database has of it, an expired one too; '' if nothing. */
    private string $stored = '';

    public function open(string $path, string $name): bool
    {
        return true;
    }

    public function read(string $id): string|false
    {
        return $this->attempt(fn () => $this->load($id)['data'] ?? '');
    }

    /**
     * Asked first, in strict mode: an identity that we did not give out is not taken. While the database
     * is away nobody knows, and the identity is kept: the session cannot start now, and can later.
     */
    public function validateId(string $id): bool
    {
        try {
            return $this->load($id) !== null;
        } catch (\PDOException $error) {
            error_log('sessions: ' . $error->getMessage());
            return true;
        }
    }

    public function write(string $id, string $data): bool
    {
        return $this->attempt(function () use ($id, $data): bool {
            $row = $this->load($id);
            [$key, $now, $before] = [self::key($id), time(), md5($this->stored)];
            // A session that another page has ended since is not begun anew by this one.
            $written = $row !== null
                ? $this->run(
                    'UPDATE stillup_sessions SET touched = ?, data = ? WHERE id = ? AND MD5(data) = ?',
                    [$now, $data, $key, $before],
                )
                : $this->run(
                    'INSERT INTO stillup_sessions (id, data, touched) VALUES (?, ?, ?)
                     ON DUPLICATE KEY UPDATE touched = IF(MD5(data) = ?, VALUES(touched), touched),
                                             data = IF(MD5(data) = ?, VALUES(data), data)',
                    [$key, $data, $now, $before, $before],
                );
            // Nothing changed: it says so already, as when the answer to the first try was lost; or not.
            if ($written->rowCount() === 0 && $this->stands($key) !== md5($data)) {
                error_log('sessions: another page has written or ended the session since this one read it');
                return false;
            }
            $this->stored = $data;
            $this->row = ['data' => $data, 'touched' => $now];
            return true;
        });
    }

    public function updateTimestamp(string $id, string $data): bool
    {
        if ($this->key === self::key($id) && time() - ($this->row['touched'] ?? 0) < self::TOUCH_SECONDS) {
            return true;
        }
        return $this->write($id, $data);
    }

    public function destroy(string $id): bool
    {
        return $this->attempt(function () use ($id): bool {
            $this->run('DELETE FROM stillup_sessions WHERE id = ?', [self::key($id)]);
            return true;
        });
    }

    public function gc(int $lifetime): int|false
    {
        return $this->attempt(
            fn () => $this->run(
                'DELETE FROM stillup_sessions WHERE touched < ? LIMIT 10000',
                [time() - $lifetime],
            )->rowCount()
        );
    }

    public function close(): bool
    {
        // The end of the connection is the end of the lock, whatever became of the page.
        $this->database = $this->key = $this->row = null;
        $this->stored = '';
        return true;
    }

    /** The session's row, locked; null when there is none or it is too old. */
    private function load(string $id): ?array
    {
        $key = self::key($id);
        if ($this->key === $key) {
            return $this->row;
        }
        $locked = $this->run('SELECT GET_LOCK(?, ?)', ['session:' . substr(bin2hex($key), 0, 48), self::LOCK_SECONDS]);
        if ((int) $locked->fetchColumn() !== 1) {
            error_log('sessions: a session stayed locked for ' . self::LOCK_SECONDS . ' s; going on without its lock');
        }
        $oldest = time() - (int) ini_get('session.gc_maxlifetime');
        $row = $this->run('SELECT data, touched FROM stillup_sessions WHERE id = ?', [$key])->fetch();
        $this->key = $key;
        $this->stored = (string) ($row['data'] ?? '');
        $this->row = $row === false || $row['touched'] < $oldest
            ? null
            : ['data' => $this->stored, 'touched' => (int) $row['touched']];
        return $this->row;
    }

    /** The hash of what the database has of a session now; null if nothing. */
    private function stands(string $key): ?string
    {
        $found = $this->run('SELECT MD5(data) FROM stillup_sessions WHERE id = ?', [$key])->fetchColumn();
        return $found === false ? null : (string) $found;
    }

    private function run(string $sql, array $values): \PDOStatement
    {
        $wasOpen = $this->database !== null;
        try {
            return $this->execute($sql, $values);
        } catch (\PDOException $error) {
            if ($wasOpen && in_array($error->errorInfo[1] ?? 0, self::GONE, true)) {
                $this->database = null;
                return $this->execute($sql, $values);
            }
            if ($error->getCode() !== self::NO_SUCH_TABLE) {
                throw $error;
            }
        }
        $this->database()->exec(
            'CREATE TABLE IF NOT EXISTS stillup_sessions (
                id BINARY(32) NOT NULL PRIMARY KEY,
                data MEDIUMBLOB NOT NULL,
                touched INT UNSIGNED NOT NULL,
                KEY touched (touched)
            ) ENGINE = InnoDB'
        );
        return $this->execute($sql, $values);
    }

    private function execute(string $sql, array $values): \PDOStatement
    {
        $statement = $this->database()->prepare($sql);
        $statement->execute($values);
        return $statement;
    }

    private function database(): \PDO
    {
        return $this->database ??= $this->connected();
    }

    private function connected(): \PDO
    {
        $database = new \PDO(
            sprintf('mysql:host=%s;dbname=%s;charset=utf8mb4', getenv('DB_HOST'), getenv('DB_NAME')),
            (string) getenv('DB_USER'),
            (string) getenv('DB_PASSWORD'),
            [
                \PDO::ATTR_TIMEOUT => self::CONNECT_SECONDS,
                \PDO::ATTR_ERRMODE => \PDO::ERRMODE_EXCEPTION,
                \PDO::ATTR_DEFAULT_FETCH_MODE => \PDO::FETCH_ASSOC,
            ],
        );
        // With several database servers another one may be written to from one page to the next: what is
        // read waits for all that was committed before (a third of a millisecond; nothing on one server).
        $database->exec('SET SESSION wsrep_sync_wait = 1, wait_timeout = ' . self::IDLE_SECONDS);
        return $database;
    }

    /** What is stored is a hash: who reads the table (a back-up) cannot take a session over. */
    private static function key(string $id): string
    {
        return hash('sha256', $id, true);
    }

    /** Does $work; a database that does not answer is a session that cannot start, told in the log. */
    private function attempt(callable $work): mixed
    {
        try {
            return $work();
        } catch (\PDOException $error) {
            error_log('sessions: ' . $error->getMessage());
            return false;
        }
    }
}

session_set_save_handler(new Sessions(), true);
