<?php

/*
 * Writes a row every few milliseconds as a page of the site would, through the way to the database that
 * pages have, and notes each row that was acknowledged: "NUMBER SECONDS", or "! WHY" for an error.
 * A row whose connection broke before the answer is neither, and is not tried again: its fate is unknown.
 */

declare(strict_types=1);

$notes = fopen('/root/rows', 'a');
$database = null;
for ($number = (int) $argv[1]; ; $number++) {
    if ($number % 20 === 0) {
        $database = null; // As after each page.
    }
    try {
        if ($database === null) {
            // As PHP-FPM has it now: the way to the database changes with the number of its servers.
            preg_match_all("/^env\[(\w+)\] = '(.*)'$/m", file_get_contents(glob('/etc/php/*/fpm/pool.d/site-env.conf')[0]), $found);
            $env = array_combine($found[1], $found[2]);
            $database = new PDO(
                "mysql:host={$env['DB_HOST']};dbname={$env['DB_NAME']}",
                $env['DB_USER'],
                $env['DB_PASSWORD'],
                [PDO::ATTR_TIMEOUT => 2, PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION],
            );
            if ($number % 1_000_000 === 0) {
                $database->exec('CREATE TABLE IF NOT EXISTS written (number INT PRIMARY KEY) ENGINE = InnoDB');
            }
        }
        $database->exec("INSERT INTO written VALUES ($number)");
        fwrite($notes, sprintf("%d %.3f\n", $number, hrtime(true) / 1e9));
    } catch (PDOException $error) {
        fwrite($notes, '! ' . strtr($error->getMessage(), "\n", ' ') . "\n");
        $database = null;
        usleep(20_000);
    }
    usleep(5_000);
}
