<?php

/*
 * What the endurance tests write through: a numbered row, a numbered file, one more page of a session.
 * "done" is said only when it is: the row is committed, the file is on the shared storage under its
 * name, the session is stored. 409 says that nothing was written; every other failure, that it is not known.
 */

declare(strict_types=1);

require __DIR__ . '/database.php';

const FOLDER = __DIR__ . '/uploads/probe';

function answer(int $status, string $text): never
{
    http_response_code($status);
    header('Content-Type: text/plain; charset=utf-8');
    exit($text . "\n");
}

function reached(): PDO
{
    try {
        return database(2);
    } catch (PDOException $error) {
        answer(409, 'no database: ' . $error->getMessage());
    }
}

function begin(): string
{
    reached()->exec(
        'CREATE TABLE IF NOT EXISTS probe (n BIGINT NOT NULL PRIMARY KEY, web VARCHAR(64) NOT NULL) ENGINE = InnoDB'
    );
    if (!is_dir(FOLDER) && !mkdir(FOLDER) && !is_dir(FOLDER)) {
        throw new RuntimeException('the folder cannot be made');
    }
    return 'begun';
}

function row(int $number): string
{
    $database = reached();
    try {
        $database->prepare('INSERT INTO probe (n, web) VALUES (?, ?)')->execute([$number, gethostname()]);
    } catch (PDOException $error) {
        // Asked twice for the same: it is there.
        if (($error->errorInfo[1] ?? 0) !== 1062) {
            throw $error;
        }
    }
    return 'done';
}

function written(int $number): string
{
    $place = FOLDER . "/$number";
    $beside = FOLDER . "/.$number." . bin2hex(random_bytes(4));
    $file = fopen($beside, 'xb');
    if ($file === false) {
        answer(409, 'no storage');
    }
    $text = str_repeat("$number\n", 500);
    if (fwrite($file, $text) !== strlen($text) || !fflush($file) || !fsync($file) || !fclose($file)) {
        throw new RuntimeException('the file was not written');
    }
    if (!rename($beside, $place)) {
        throw new RuntimeException('the file was not named');
    }
    return 'done';
}

/** Keeps this page's session in another way than the farm does: for comparing them. */
function kept(string $way): void
{
    if ($way === 'files') {
        $folder = FOLDER . '/sessions';
        is_dir($folder) || mkdir($folder);
        session_module_name('files');
        session_save_path($folder);
    } elseif ($way === 'memcached') {
        $servers = preg_split('/,/', (string) $_GET['servers']);
        ini_set('memcached.sess_binary_protocol', '1');
        ini_set('memcached.sess_consistent_hash', '1');
        ini_set('memcached.sess_remove_failed_servers', '1');
        ini_set('memcached.sess_server_failure_limit', '1');
        ini_set('memcached.sess_number_of_replicas', (string) (count($servers) - 1));
        ini_set('memcached.sess_lock_expire', '10');
        session_module_name('memcached');
        session_save_path(implode(',', $servers));
    }
}

function again(): string
{
    kept((string) ($_GET['way'] ?? ''));
    if (!session_start()) {
        throw new RuntimeException('the session did not start');
    }
    $_SESSION['pages'] = ($_SESSION['pages'] ?? 0) + 1;
    $pages = $_SESSION['pages'];
    if (!session_write_close()) {
        throw new RuntimeException('the session was not stored');
    }
    return "page $pages";
}

$number = (int) ($_GET['n'] ?? 0);
try {
    $told = match ($_GET['do'] ?? '') {
        'begin' => begin(),
        'row' => row($number),
        'file' => written($number),
        'session' => again(),
        default => answer(404, 'there is no such deed'),
    };
} catch (Throwable $error) {
    answer(500, get_class($error) . ': ' . $error->getMessage());
}
answer(200, $told);
